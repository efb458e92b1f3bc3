/**
 * The subnets that this host has an address in, or a route to.
 *
 * @module
 */
import { readFile } from 'node:fs/promises';
import { networkInterfaces } from 'node:os';
import { formatSubnet, parseAddress, parseCidr, type Subnet, subnetAt } from './ipv4.ts';

/** @throws Error where the kernel's tables of routes cannot be read */
export async function hostSubnets(): Promise<Subnet[]> {
  const found = [
    ...interfaceSubnets(),
    ...parseRoutes(await readFile('/proc/net/fib_trie', 'utf8')),
  ];
  return [...new Map(found.map((subnet) => [formatSubnet(subnet), subnet])).values()];
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
const MAX_BITS = 32;
/** A destination, and below it each of its routes. What lies between them is how it is stored. */
const DESTINATION = /^ +\|-- ([0-9.]+)$/;
const ROUTE = /^ +\/(\d+) \S+ (\S+)/;

/**
 * Reads the kernel's `/proc/net/fib_trie`, which has all tables: what this host takes for its own
 * (`local`), and those that rules choose as well. Default routes are left out, and what is wider
 * than any network: it leads to no subnet in particular.
 */
export function parseRoutes(trie: string): Subnet[] {
  let destination: number | undefined;
  return trie.split('\n').flatMap((line) => {
    const [, address] = DESTINATION.exec(line) ?? [];
    if (address !== undefined) destination = parseAddress(address);
    const [, prefix, type] = ROUTE.exec(line) ?? [];
    if (prefix === undefined || destination === undefined || type === 'BROADCAST') return [];
    const bits = Number(prefix);
    return bits < MIN_BITS || bits > MAX_BITS ? [] : [subnetAt(destination, bits)];
  });
}
