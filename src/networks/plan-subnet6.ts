/**
 * The IPv6 subnet of a network: read as it was asked for, or chosen.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import {
  contains6,
  formatSubnet6,
  overlap6,
  parseAddress6,
  parseCidr6,
  randomSubnet6,
  readSubnet6,
  type Subnet6,
  subnetAt6,
} from './ipv6.ts';
import { mtuOf } from './options.ts';
import type { NetworkRequest } from './request.ts';

interface PlannedSubnet6 {
  readonly subnet: Subnet6;
  readonly gateway: bigint;
}

/** The smallest that carries IPv6: RFC 8200, 5. */
const MIN_MTU = 1280;
/** A box needs an address besides those of the subnet's routers and of the gateway. */
const MIN_BITS = 8;
const MAX_BITS = 126;

/** Subnets that no network can have, with what they are for: RFC 4291, 2.4. */
const RESERVED: readonly (readonly [Subnet6, string])[] = [
  [readSubnet6('::/8'), 'it has the loopback address and others that name no host'],
  [readSubnet6('100::/64'), 'it has addresses that lead nowhere'],
  [readSubnet6('fe80::/10'), 'it has link-local addresses'],
  [readSubnet6('ff00::/8'), 'it has multicast addresses'],
];

/**
 * @returns undefined where none was asked for
 * @throws A3sError `invalid-argument`, in Docker's words where it has some
 */
export function planSubnet6({
  ipv6,
  options,
}: Pick<NetworkRequest, 'ipv6' | 'options'>): PlannedSubnet6 | undefined {
  if (ipv6 === undefined) return undefined;
  const mtu = mtuOf(options);
  if (mtu !== undefined && mtu < MIN_MTU) {
    throw invalid(`the MTU ${mtu} is less than the ${MIN_MTU} bytes that IPv6 needs`);
  }
  const subnet = ipv6.subnet === '' ? randomSubnet6() : readAskedSubnet(ipv6.subnet);
  if (ipv6.gateway === '') return { subnet, gateway: subnet.base + 1n };
  const gateway = parseAddress6(ipv6.gateway);
  if (gateway === undefined) {
    throw invalid(`invalid gateway ${shown(ipv6.gateway)}: it is no IPv6 address`);
  }
  if (!contains6(subnet, gateway)) {
    const parent = formatSubnet6(subnet);
    throw invalid(
      `invalid gateway ${ipv6.gateway}: parent subnet ${parent} doesn't contain this address`,
    );
  }
  if (gateway !== subnet.base) return { subnet, gateway };
  throw invalid(`invalid gateway ${ipv6.gateway}: it is the address of all routers of the subnet`);
}

function readAskedSubnet(text: string): Subnet6 {
  const cidr = parseCidr6(text);
  if (cidr === undefined) throw invalid(`invalid subnet ${shown(text)}: it is no CIDR notation`);
  const subnet = subnetAt6(cidr.address, cidr.bits);
  if (subnet.base !== cidr.address) {
    throw invalid(`invalid subnet ${text}: it should be ${formatSubnet6(subnet)}`);
  }
  if (subnet.bits < MIN_BITS || subnet.bits > MAX_BITS) {
    throw invalid(`invalid subnet ${text}: its prefix must have ${MIN_BITS} to ${MAX_BITS} bits`);
  }
  for (const [reserved, why] of RESERVED) {
    if (overlap6(reserved, subnet)) throw invalid(`invalid subnet ${text}: ${why}`);
  }
  return subnet;
}

function invalid(reason: string): A3sError {
  return new A3sError('invalid-argument', `invalid network config: ${reason}`, {
    remedy: 'Write an IPv6 subnet as fd00:89::/64, with the gateway inside it.',
  });
}

function shown(text: string): string {
  return text.slice(0, 64);
}
