/**
 * The subnets that this host has an address in, or a route to.
 *
 * @module
 */
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import type { AnySubnet } from './address.ts';
import { ifMissing } from './host/if-missing.ts';
import { parseCidr, type Subnet, subnetAt } from './ipv4.ts';
import { parseCidr6, type Subnet6, subnetAt6 } from './ipv6.ts';

/** @throws Error where the kernel's table of routes cannot be read */
export async function hostSubnets(): Promise<Subnet[]> {
  return [...interfaceSubnets(), ...parseRoutes(await readFile('/proc/net/route', 'utf8'))];
}

/**
 * Those of IPv6 as well.
 *
 * @throws Error where a table of routes cannot be read
 */
export async function allHostSubnets(): Promise<AnySubnet[]> {
  // A kernel without IPv6 has no such table.
  const table = await readFile('/proc/net/ipv6_route', 'utf8').catch(ifMissing);
  return [...(await hostSubnets()), ...interfaceSubnets6(), ...parseRoutes6(table ?? '')];
}

function interfaceSubnets6(): Subnet6[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .flatMap(({ cidr }) => {
      const found = parseCidr6(cidr ?? '');
      return found === undefined ? [] : [subnetAt6(found.address, found.bits)];
    });
}

/** Reads the kernel's `/proc/net/ipv6_route`; what leads to no subnet in particular is left out. */
export function parseRoutes6(table: string): Subnet6[] {
  return table.split('\n').flatMap((line) => {
    const [, address, bits] = /^([0-9a-f]{32}) ([0-9a-f]{2}) /.exec(line) ?? [];
    if (address === undefined || Number.parseInt(bits ?? '', 16) < MIN_BITS) return [];
    return [subnetAt6(BigInt(`0x${address}`), Number.parseInt(bits ?? '', 16))];
  });
}

function interfaceSubnets(): Subnet[] {
  return Object.values(networkInterfaces())
    .flatMap((addresses) => addresses ?? [])
    .flatMap(({ cidr }) => {
      const found = parseCidr(cidr ?? '');
      return found === undefined ? [] : [subnetAt(found.address, found.bits)];
    });
}

/** VPNs write their default route as two halves. No network has a shorter prefix than this. */
const MIN_BITS = 8;

/**
 * Reads the kernel's `/proc/net/route`. The default route is left out, and what is wider than any
 * network: it leads to no subnet in particular.
 */
export function parseRoutes(table: string): Subnet[] {
  return table
    .split('\n')
    .slice(1)
    .flatMap((line) => {
      const fields = line.split('\t');
      const [destination, mask] = [hexAddress(fields[1]), hexAddress(fields[7])];
      if (destination === undefined || mask === undefined) return [];
      const bits = Math.clz32(~mask >>> 0);
      return bits < MIN_BITS ? [] : [subnetAt(destination, bits)];
    });
}

/**
 * The kernel writes the four bytes as one number of the host's order, which is little-endian here.
 */
function hexAddress(text: string | undefined): number | undefined {
  if (text === undefined || !/^[0-9A-F]{8}$/i.test(text)) return undefined;
  return Buffer.from(text, 'hex').readUInt32LE();
}
