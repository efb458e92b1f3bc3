/**
 * IPv4 addresses and subnets as numbers.
 *
 * @module
 */

/** A range of addresses with a common prefix. */
export interface Subnet {
  /** Its first address, as an unsigned number of 32 bits. */
  readonly base: number;
  /** Bits of the prefix, 0 to 32. */
  readonly bits: number;
}

const PART = /^(?:0|[1-9]\d{0,2})$/;

/**
 * Reads dotted notation with four decimal parts without leading zeros.
 *
 * @returns undefined for anything else
 */
export function parseAddress(text: string): number | undefined {
  const parts = text.split('.');
  if (parts.length !== 4) return undefined;
  let address = 0;
  for (const part of parts) {
    if (!PART.test(part) || Number(part) > 255) return undefined;
    address = address * 256 + Number(part);
  }
  return address;
}

export function formatAddress(address: number): string {
  return [24, 16, 8, 0].map((shift) => (address >>> shift) & 255).join('.');
}

/**
 * Reads CIDR notation; the address may have bits beyond the prefix.
 *
 * @returns undefined for anything else
 */
export function parseCidr(
  text: string,
): { readonly address: number; readonly bits: number } | undefined {
  const [host = '', bits = '', ...more] = text.split('/');
  const address = parseAddress(host);
  if (address === undefined || more.length > 0 || !PART.test(bits) || Number(bits) > 32) {
    return undefined;
  }
  return { address, bits: Number(bits) };
}

/** The subnet of that size that has the address. */
export function subnetAt(address: number, bits: number): Subnet {
  const size = sizeOf({ base: 0, bits });
  return { base: address - (address % size), bits };
}

/** Reads CIDR notation of this module's own making. @throws RangeError for anything else */
export function readSubnet(text: string): Subnet {
  const cidr = parseCidr(text);
  if (cidr === undefined) throw new RangeError(`${text} is no IPv4 subnet`);
  return subnetAt(cidr.address, cidr.bits);
}

/** Reads an address of this module's own making. @throws RangeError for anything else */
export function readAddress(text: string): number {
  const address = parseAddress(text);
  if (address === undefined) throw new RangeError(`${text} is no IPv4 address`);
  return address;
}

export function formatSubnet({ base, bits }: Subnet): string {
  return `${formatAddress(base)}/${bits}`;
}

/** The number of its addresses. */
export function sizeOf({ bits }: Subnet): number {
  return 2 ** (32 - bits);
}

/** Its highest address, to which broadcasts go. */
export function lastOf(subnet: Subnet): number {
  return subnet.base + sizeOf(subnet) - 1;
}

export function contains(subnet: Subnet, address: number): boolean {
  return address >= subnet.base && address <= lastOf(subnet);
}

export function overlap(a: Subnet, b: Subnet): boolean {
  return contains(a, b.base) || contains(b, a.base);
}
