/**
 * Finds the address of a box in a network.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import {
  contains,
  formatAddress,
  lastOf,
  parseAddress,
  readAddress,
  readSubnet,
  type Subnet,
} from './ipv4.ts';
import { macOf, parseMac } from './mac.ts';
import type { Endpoint, NetworkRecord } from './network.ts';
import { refuseIpv6 } from './request.ts';

/** What a box asks of its endpoint. Undefined: the server chooses. */
export interface WantedAddress {
  readonly address?: string | undefined;
  /** An IPv6 address. */
  readonly address6?: string | undefined;
  readonly mac?: string | undefined;
}

/**
 * The wanted address, or the lowest that is free. No two endpoints of a network have one address,
 * of either kind.
 *
 * @throws A3sError `invalid-argument`, `address-in-use`, `conflict` where the network is full
 */
export function allocate(
  network: NetworkRecord,
  endpoints: readonly Pick<Endpoint, 'address' | 'mac'>[],
  wanted: WantedAddress,
): { readonly address: string; readonly mac: string } {
  const taken = new Set([...endpoints.map(({ address }) => address), ...reservedOf(network)]);
  const macs = new Set(endpoints.map(({ mac }) => mac));
  const wantedMac = wanted.mac === undefined ? undefined : parseMac(wanted.mac);
  if (wantedMac !== undefined && macs.has(wantedMac)) throw inUse(network, wantedMac);
  if (wanted.address !== undefined) {
    const address = checkWantedAddress(network, wanted.address);
    const text = formatAddress(address);
    const mac = wantedMac ?? macOf(address);
    if (taken.has(text) || macs.has(mac)) throw inUse(network, text);
    return { address: text, mac };
  }
  const range = readSubnet(network.ipRange ?? network.subnet);
  for (let address = range.base; address <= lastOf(range); address += 1) {
    const text = formatAddress(address);
    const mac = wantedMac ?? macOf(address);
    // Another box may have asked for the hardware address that would belong to this one.
    if (!taken.has(text) && !macs.has(mac)) return { address: text, mac };
  }
  throw new A3sError('conflict', 'no available addresses on this pool', {
    remedy: `Stop boxes of the network ${network.name}, or create one with a larger subnet.`,
  });
}

/**
 * Reads an address that a user chose.
 *
 * @throws A3sError `invalid-argument`, in Docker's words, where the network cannot have it or its
 * subnet was not chosen
 */
export function checkWantedAddress(network: NetworkRecord, text: string): number {
  refuseIpv6(text);
  const address = parseAddress(text);
  if (address === undefined) {
    throw new A3sError('invalid-argument', `invalid IPv4 address: ${text.slice(0, 64)}`, {
      remedy: 'Write it as four decimal numbers with dots between them.',
    });
  }
  if (network.asked.subnet === undefined) {
    throw new A3sError(
      'invalid-argument',
      'user specified IP address is supported only when connecting to networks with user configured subnets',
      { remedy: 'Create the network with --subnet, or leave --ip out.' },
    );
  }
  if (contains(readSubnet(network.subnet), address)) return address;
  throw new A3sError(
    'invalid-argument',
    `invalid endpoint settings: no configured subnet contains IP address ${text}`,
    { remedy: `Choose an address of ${network.subnet}.` },
  );
}

/** Addresses of a network that no box gets. */
function reservedOf({ subnet, gateway, asked }: NetworkRecord): string[] {
  const range: Subnet = readSubnet(subnet);
  const aux = Object.values(asked.auxAddresses).map((text) => formatAddress(readAddress(text)));
  return [formatAddress(range.base), formatAddress(lastOf(range)), gateway, ...aux];
}

/** The refusal of an address that another box has. */
export function inUse({ name }: Pick<NetworkRecord, 'name'>, address: string): A3sError {
  return new A3sError('address-in-use', `Address already in use: ${address} in network ${name}`, {
    remedy: 'Choose another address, or stop the box that has it.',
  });
}
