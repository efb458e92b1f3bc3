/**
 * IPv6 addresses and subnets as numbers.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { isIPv6 } from 'node:net';

/** A range of addresses with a common prefix. */
export interface Subnet6 {
  /** Its first address, an unsigned number of 128 bits. */
  readonly base: bigint;
  /** Bits of the prefix, 0 to 128. */
  readonly bits: number;
}

const ADDRESS_BITS = 128;
const GROUPS = 8;

/**
 * Reads hexadecimal groups, also shortened by `::`.
 *
 * @returns undefined for anything else, for a zone, and for a part in dotted notation
 */
export function parseAddress6(text: string): bigint | undefined {
  if (!isIPv6(text) || /[%.]/.test(text)) return undefined;
  const [head = [], tail = []] = text
    .split('::')
    .map((half) => half.split(':').filter((group) => group !== ''));
  const zeros = Array.from({ length: GROUPS - head.length - tail.length }, () => '0');
  const groups = [...head, ...zeros, ...tail].map((group) => group.padStart(4, '0'));
  return BigInt(`0x${groups.join('')}`);
}

/** As RFC 5952 writes it. */
export function formatAddress6(address: bigint): string {
  const digits = address.toString(16).padStart(ADDRESS_BITS / 4, '0');
  // The parser of URLs is one of RFC 5952's writers.
  const groups = digits.match(/.{4}/g) ?? [];
  return new URL(`http://[${groups.join(':')}]/`).hostname.slice(1, -1);
}

/**
 * Reads CIDR notation; the address may have bits beyond the prefix.
 *
 * @returns undefined for anything else
 */
export function parseCidr6(
  text: string,
): { readonly address: bigint; readonly bits: number } | undefined {
  const [host = '', bits = '', ...more] = text.split('/');
  const address = parseAddress6(host);
  if (address === undefined || more.length > 0 || !/^(?:0|[1-9]\d{0,2})$/.test(bits)) {
    return undefined;
  }
  return Number(bits) > ADDRESS_BITS ? undefined : { address, bits: Number(bits) };
}

/** The subnet of that size that has the address. */
export function subnetAt6(address: bigint, bits: number): Subnet6 {
  return { base: address - (address % sizeOf6(bits)), bits };
}

/** Reads CIDR notation of this module's own making. @throws RangeError for anything else */
export function readSubnet6(text: string): Subnet6 {
  const cidr = parseCidr6(text);
  if (cidr === undefined) throw new RangeError(`${text} is no IPv6 subnet`);
  return subnetAt6(cidr.address, cidr.bits);
}

export function formatSubnet6({ base, bits }: Subnet6): string {
  return `${formatAddress6(base)}/${bits}`;
}

export function lastOf6({ base, bits }: Subnet6): bigint {
  return base + sizeOf6(bits) - 1n;
}

export function contains6(subnet: Subnet6, address: bigint): boolean {
  return address >= subnet.base && address <= lastOf6(subnet);
}

export function overlap6(a: Subnet6, b: Subnet6): boolean {
  return contains6(a, b.base) || contains6(b, a.base);
}

/** A unique local subnet of 64 bits, with a random global id: RFC 4193, 3.2. */
export function randomSubnet6(): Subnet6 {
  const prefix = BigInt(`0xfd${randomBytes(5).toString('hex')}0000`);
  return { base: prefix << 64n, bits: 64 };
}

function sizeOf6(bits: number): bigint {
  return 1n << BigInt(ADDRESS_BITS - bits);
}
