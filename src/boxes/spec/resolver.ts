/**
 * The files of a box that names are resolved by, as its box spec has them.
 *
 * @module
 */
import { isIPv4 } from 'node:net';
import type { BoxSpec } from '@a3s-box/policies';
import { A3sError } from '../../errors.ts';
import { hostAddress } from '../../networks/host-address.ts';
import type { Names } from '../record/names.ts';

/** In place of an address, it asks for one at which the box reaches the host. */
export const HOST_GATEWAY = 'host-gateway';

/** The DNS server of a network knows names without a domain, so they are asked for as they are. */
export const NETWORK_OPTIONS: readonly string[] = ['ndots:0'];

type Nic = Extract<BoxSpec['network'], { kind: 'nic' }>;

/** The domains and the options of the resolver, as `/etc/resolv.conf` has them. */
export function resolverOf(
  { options, search }: Names,
  defaults: readonly string[] = [],
): Pick<Nic, 'search' | 'options'> {
  const named = new Set(options.map(nameOf));
  const all = [...options, ...defaults.filter((option) => !named.has(nameOf(option)))];
  return {
    search: search.filter((domain) => domain !== '.'),
    ...(all.length === 0 ? {} : { options: all }),
  };
}

/** The DNS servers that a box reaches from the network that it has to itself: it has no IPv6. */
export function ownServers({ servers }: Pick<Names, 'servers'>): readonly string[] {
  return servers.filter((server) => isIPv4(server));
}

/**
 * Refuses a box that would ask nobody: a user-defined network asks DNS servers at IPv6 addresses
 * for its boxes, and the network that a box has to itself does not.
 *
 * @throws A3sError `unsupported-option`
 */
export function checkServers({
  network,
  endpoints,
  names,
}: {
  readonly network: 'default' | 'none' | 'user';
  readonly endpoints: readonly unknown[];
  readonly names: Pick<Names, 'servers'>;
}): void {
  const { servers } = names;
  if (network !== 'default' || endpoints.length > 0) return;
  if (servers.length === 0 || ownServers(names).length > 0) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot create the box: HostConfig.Dns is not supported: ${servers.join(', ')}: a box has no IPv6 in the default network`,
    { remedy: 'Name a server at an IPv4 address as well, or a user-defined network.' },
  );
}

/** Whether the box has to reach the host. */
export function asksForHost({ hosts }: Names): boolean {
  return hosts.some((entry) => addressOf(entry) === HOST_GATEWAY);
}

/**
 * The lines of `/etc/hosts` that were asked for.
 *
 * @param address where the box reaches the host, as `gatewayFor` returns it
 */
export function hostsOf({ hosts }: Names, address: string | undefined): BoxSpec['hosts'] {
  if (hosts.length === 0) return undefined;
  return hosts.map((entry) => {
    const given = addressOf(entry);
    return {
      name: entry.slice(0, entry.indexOf(':')),
      address: given === HOST_GATEWAY ? (address ?? given) : given,
    };
  });
}

/**
 * Finds the address at which a box that asks for that reaches the host.
 *
 * @returns undefined where the box does not ask
 * @throws A3sError `network-unavailable` where the host has none
 */
export async function gatewayFor(names: Names): Promise<string | undefined> {
  if (!asksForHost(names)) return undefined;
  const address = await hostAddress();
  if (address !== undefined) return address;
  throw new A3sError(
    'network-unavailable',
    `Cannot start the box: unable to derive the IP value for ${HOST_GATEWAY}: this host has no default route`,
    { remedy: 'Create the box with an address in --add-host, or give the host a default route.' },
  );
}

function addressOf(entry: string): string {
  return entry.slice(entry.indexOf(':') + 1);
}

function nameOf(option: string): string {
  return option.split(':')[0] ?? option;
}
