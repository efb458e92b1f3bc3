/**
 * The network of a box at its start: the card of its microVM, and the network part of its box spec.
 *
 * @module
 */
import { closeSync } from 'node:fs';
import type { BoxSpec } from '@a3s-box/policies';
import type { Nic } from '../../engine/engine.ts';
import { expectIpv4 } from '../../engine/helpers/passt.ts';
import { GUEST_NETWORK } from '../../engine/network.ts';
import { A3sError } from '../../errors.ts';
import type { HostNetwork } from '../../networks/host/endpoint.ts';
import type { NetworkRecord } from '../../networks/network.ts';
import { mtuOf } from '../../networks/options.ts';
import type { Box, BoxDefinition, Port } from '../record/box.ts';
import type { Services } from '../services/services.ts';
import { gatewayFor, hostsOf, resolverOf } from '../spec/names.ts';
import { forward, guestNic, macAddress } from '../spec/network.ts';

/** The DNS server knows names without a domain, so they are asked for as they are. */
const OPTIONS = ['ndots:0'] as const;

export interface JoinedNetwork {
  /** Absent: the microVM has no network card. */
  readonly nic: Nic | undefined;
  readonly network: BoxSpec['network'];
  readonly hosts: BoxSpec['hosts'];
  /** The VMM has what it needs, or will not be started. */
  release(): void;
}

/** What it takes of the server that a box comes into its network. */
export type NetworkHost = Pick<Services, 'networks' | 'hostNetworks'>;

/**
 * Puts a box into its user-defined network, anew where it is there already. The end of its run
 * takes it out.
 *
 * @param ports with their real numbers
 * @throws A3sError `no-such-network`, `network-unavailable`, `network-failed`, `port-in-use`,
 * `address-in-use`
 */
export async function joinNetwork(
  rt: NetworkHost,
  { definition, name }: Pick<Box, 'definition' | 'name'>,
  ports: readonly Port[],
): Promise<JoinedNetwork> {
  if (definition.network !== 'user') return ownNetwork(definition, ports);
  const { id, endpoints } = definition;
  const [asked] = endpoints;
  if (asked === undefined) throw withoutNetwork(id);
  await rt.networks.expectAvailable();
  const { address, prefixLength, gateway, mac } = rt.networks.attach(asked.network, id, asked);
  const host = await gatewayFor(definition.names);
  const network = rt.networks.get(asked.network);
  if (network === undefined) {
    throw new A3sError('no-such-network', `network ${asked.name} not found`, {
      remedy: 'List them with a3s-box network ls.',
    });
  }
  const made = hostNetwork(network);
  for (const port of ports) expectIpv4(port);
  const tap = await rt.hostNetworks.attach({
    box: id,
    names: [name, ...asked.aliases, id.slice(0, 12)],
    ...{ network: made, address, mac, ports, host },
    nameservers: definition.names.servers,
  });
  return {
    nic: { mac, ports: [], tap },
    network: {
      ...{ kind: 'nic', mac, mtu: made.mtu, address, prefixLength, gateway },
      nameservers: [gateway],
      ...resolverOf(definition.names, OPTIONS),
    },
    hosts: hostsOf(definition.names, host),
    release: () => closeSync(tap),
  };
}

/** The network of a box that is in none, or in one of its own. Nothing is made. */
export async function ownNetwork(
  definition: Pick<BoxDefinition, 'id' | 'network' | 'names'>,
  ports: readonly Port[],
): Promise<JoinedNetwork> {
  const release = (): void => undefined;
  if (definition.network === 'user') throw withoutNetwork(definition.id);
  const { names } = definition;
  const rest = { hosts: hostsOf(names, await gatewayFor(names)), release };
  if (definition.network === 'none') return { nic: undefined, network: { kind: 'none' }, ...rest };
  const mac = macAddress(definition.id);
  return { nic: { mac, ports: ports.map(forward) }, network: guestNic(mac, names), ...rest };
}

/** A box that is to be in a network of others is never put into one of its own instead. */
function withoutNetwork(id: string): A3sError {
  return new A3sError('internal', `Cannot put ${id.slice(0, 12)} into its user-defined network`);
}

function hostNetwork({ id, subnet, gateway, internal, options }: NetworkRecord): HostNetwork {
  return { id, subnet, gateway, internal, mtu: mtuOf(options) ?? GUEST_NETWORK.mtu };
}
