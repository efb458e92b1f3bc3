/**
 * Addresses and subnets of both families: a number is one of IPv4, a bigint one of IPv6.
 *
 * @module
 */
import {
  contains,
  formatAddress,
  formatSubnet,
  parseAddress,
  readSubnet,
  type Subnet,
} from './ipv4.ts';
import {
  contains6,
  formatAddress6,
  formatSubnet6,
  parseAddress6,
  readSubnet6,
  type Subnet6,
} from './ipv6.ts';

export type Address = number | bigint;
export type AnySubnet = Subnet | Subnet6;

/**
 * @returns undefined for anything else, and for other spellings of IPv6 with IPv4 or a zone in it
 */
export function parseAnyAddress(text: string): Address | undefined {
  return parseAddress(text) ?? parseAddress6(text);
}

export function formatAnyAddress(address: Address): string {
  return typeof address === 'number' ? formatAddress(address) : formatAddress6(address);
}

/** Reads CIDR notation of this project's own making. @throws RangeError for anything else */
export function readAnySubnet(text: string): AnySubnet {
  return isSubnet6(text) ? readSubnet6(text) : readSubnet(text);
}

export function formatAnySubnet(subnet: AnySubnet): string {
  return isOf6(subnet) ? formatSubnet6(subnet) : formatSubnet(subnet);
}

/** No subnet of one family has an address of the other. */
export function containsAny(subnet: AnySubnet, address: Address): boolean {
  if (isOf6(subnet)) return typeof address === 'bigint' && contains6(subnet, address);
  return typeof address === 'number' && contains(subnet, address);
}

/** Whether a subnet in CIDR notation is one of IPv6. */
export function isSubnet6(text: string): boolean {
  return text.includes(':');
}

function isOf6(subnet: AnySubnet): subnet is Subnet6 {
  return typeof subnet.base === 'bigint';
}
