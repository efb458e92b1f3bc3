/**
 * The networks of links in `bridge`: one for each box that others are linked to. It has no way out.
 * That box and the others reach each other there; the others do not reach one another.
 *
 * @module
 */
import { formatAddress, formatSubnet, readSubnet, type Subnet } from './ipv4.ts';
import type { NetworkRecord } from './network.ts';

/** No user can give a network such a name. */
const PREFIX = 'container:';
/** The subnet has 256 addresses, of which those that link have the upper half. */
const HALF = { offset: 128, bits: 25 } as const;

/** @param box that the others will be linked to */
export function planLinks(
  box: string,
  subnet: Subnet,
): Omit<NetworkRecord, 'id' | 'createdAt'> & { readonly links: string } {
  const { base } = subnet;
  return {
    ...{ name: `${PREFIX}${box}`, driver: 'bridge', links: box },
    subnet: formatSubnet(subnet),
    gateway: formatAddress(base + 1),
    ipRange: formatSubnet({ base: base + HALF.offset, bits: HALF.bits }),
    ...{ internal: true, attachable: false, labels: {}, options: {} },
    // The box that is linked to chooses its address.
    asked: { subnet: formatSubnet(subnet), auxAddresses: {} },
  };
}

/** The address of the box that others are linked to. It stays the same while any of them runs. */
export function targetAddress({ subnet }: Pick<NetworkRecord, 'subnet'>): string {
  return formatAddress(readSubnet(subnet).base + 2);
}

/**
 * The part of a network that one of its boxes reaches.
 *
 * @returns undefined: all of it
 */
export function reachedBy(
  { links, subnet, ipRange }: Pick<NetworkRecord, 'links' | 'subnet' | 'ipRange'>,
  box: string,
): string | undefined {
  if (links === undefined) return undefined;
  return box === links ? ipRange : targetAddress({ subnet });
}
