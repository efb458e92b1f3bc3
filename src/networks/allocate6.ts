/**
 * Finds the IPv6 address of a box in a network.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import { inUse } from './allocate.ts';
import { contains6, formatAddress6, lastOf6, parseAddress6, readSubnet6 } from './ipv6.ts';
import type { Endpoint, NetworkRecord } from './network.ts';

/**
 * The wanted address, or the lowest that is free. No two endpoints of a network have one address.
 *
 * @returns undefined in a network without IPv6
 * @throws A3sError `invalid-argument`, `address-in-use`, `conflict` where the network is full
 */
export function allocate6(
  network: NetworkRecord,
  endpoints: readonly Pick<Endpoint, 'ipv6'>[],
  wanted: string | undefined,
): Endpoint['ipv6'] {
  const { ipv6 } = network;
  const asked = wanted === undefined ? undefined : checkWantedAddress6(network, wanted);
  if (ipv6 === undefined) return undefined;
  const { gateway } = ipv6;
  const subnet = readSubnet6(ipv6.subnet);
  const taken = new Set([
    // Of all routers of the subnet: RFC 4291, 2.6.1.
    formatAddress6(subnet.base),
    gateway,
    ...Object.values(ipv6.auxAddresses ?? {}),
    ...endpoints.flatMap((each) => (each.ipv6 === undefined ? [] : [each.ipv6.address])),
  ]);
  if (asked !== undefined) {
    if (taken.has(asked)) throw inUse(network, asked);
    return { address: asked, prefixLength: subnet.bits, gateway };
  }
  const range = readSubnet6(ipv6.ipRange ?? ipv6.subnet);
  for (let next = range.base; next <= lastOf6(range); next += 1n) {
    const address = formatAddress6(next);
    if (!taken.has(address)) return { address, prefixLength: subnet.bits, gateway };
  }
  throw new A3sError('conflict', 'no available IPv6 addresses on this pool', {
    remedy: `Stop boxes of the network ${network.name}, or create one with a larger subnet.`,
  });
}

/**
 * Reads an address that a user chose.
 *
 * @returns it as RFC 5952 writes it
 * @throws A3sError `invalid-argument`, in Docker's words where it has some, where the network
 * cannot have it or its subnet was not chosen
 */
export function checkWantedAddress6({ name, ipv6, asked }: NetworkRecord, text: string): string {
  const address = parseAddress6(text);
  if (address === undefined) {
    throw new A3sError('invalid-argument', `invalid IPv6 address: ${text.slice(0, 64)}`, {
      remedy: 'Write it in hexadecimal groups, such as fd00:89::5.',
    });
  }
  if (ipv6 === undefined) {
    throw new A3sError('invalid-argument', `Cannot use ${text}: network ${name} has no IPv6`, {
      remedy: 'Create the network with --ipv6 and an IPv6 --subnet, or leave --ip6 out.',
    });
  }
  if (asked.subnet6 === undefined) {
    throw new A3sError(
      'invalid-argument',
      'user specified IP address is supported only when connecting to networks with user configured subnets',
      { remedy: 'Create the network with an IPv6 --subnet, or leave --ip6 out.' },
    );
  }
  if (contains6(readSubnet6(ipv6.subnet), address)) return formatAddress6(address);
  throw new A3sError(
    'invalid-argument',
    `invalid endpoint settings: no configured subnet contains IP address ${text}`,
    { remedy: `Choose an address of ${ipv6.subnet}.` },
  );
}
