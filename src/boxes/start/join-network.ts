/**
 * The network of a box at its start: the card of its microVM, and the network part of its box spec.
 *
 * @module
 */
import { closeSync } from 'node:fs';
import type { BoxSpec } from '@a3s-box/policies';
import type { Nic } from '../../engine/vm/devices.ts';
import { A3sError } from '../../errors.ts';
import { idleMac, permittedNetworks } from '../confidential/permitted-networks.ts';
import type { Box, BoxDefinition, Port } from '../record/box.ts';
import {
  enterLimitedOwn,
  enterNetwork,
  furtherEndpoints,
  hasLimitedOwn,
  type PlacesHost,
  publishingPlace,
} from '../run/network-places.ts';
import { forward, guestNic, macAddress } from '../spec/network.ts';
import { gatewayFor, hostsOf, NETWORK_OPTIONS, resolverOf } from '../spec/resolver.ts';

export interface JoinedNetwork {
  /** Absent: the microVM has no network card. */
  readonly nic: Nic | undefined;
  /** The further cards of a box that gets none once it runs. Absent: none, or later. */
  readonly moreNics?: readonly Nic[] | undefined;
  readonly network: BoxSpec['network'];
  readonly hosts: BoxSpec['hosts'];
  /**
   * Settles when the network can be used, and not before that does anything of the box run. Rejects
   * where it could not be made; a caller that has failed before may leave that unhandled.
   */
  readonly whole: Promise<void>;
  /** The VMM has what it needs, or will not be started. */
  release(): void;
}

/**
 * Puts a box into the network that its microVM is launched with, anew where it is there already.
 * The end of its run takes it out.
 *
 * @param ports with their real numbers
 * @throws A3sError `no-such-network`, `network-unavailable`, `network-failed`, `port-in-use`,
 * `address-in-use`
 */
export async function joinNetwork(
  rt: PlacesHost,
  box: Pick<Box, 'definition' | 'name'>,
  ports: readonly Port[],
): Promise<JoinedNetwork> {
  const permitted = permittedNetworks(box.definition);
  if (permitted === undefined) return await joinFirst(rt, box, ports);
  return await joinFurther(rt, box, { ports, cards: permitted.cards });
}

/**
 * A confidential microVM has all its cards from the start: those of the networks that it is in, and
 * idle ones for those that its launch spec lets the host put it into later.
 */
async function joinFurther(
  rt: PlacesHost,
  box: Pick<Box, 'definition' | 'name'>,
  { ports, cards }: { readonly ports: readonly Port[]; readonly cards: number },
): Promise<JoinedNetwork> {
  const { definition } = box;
  const first = await joinFirst(rt, box, ports);
  const publishing = publishingPlace(rt, definition);
  const moreNics: Nic[] = [];
  const release = (): void => {
    first.release();
    for (const { tap } of moreNics) if (tap !== undefined) closeSync(tap);
  };
  const idle = (card: number): Nic => ({
    ...{ mac: idleMac(definition, card), ports: [], redirectable: true, idle: true },
  });
  try {
    await first.whole;
    for (const [at, asked] of furtherEndpoints(definition).entries()) {
      const here = asked === publishing ? ports : [];
      const entered = await enterNetwork(rt, box, { asked, card: at + 1, ports: here });
      const { place, tap } = entered;
      moreNics.push({ mac: place.mac, ports: [], tap, redirectable: true });
      await entered.whole;
    }
  } catch (error) {
    release();
    throw error;
  }
  for (let card = moreNics.length + 1; card < cards; card += 1) moreNics.push(idle(card));
  const { nic } = first;
  const leads = nic === undefined ? idle(0) : nic.tap === undefined ? nic : redirectable(nic);
  return { ...first, nic: leads, moreNics, release };
}

function redirectable(nic: Nic): Nic {
  return { ...nic, redirectable: true };
}

/** The card that its microVM begins with. */
async function joinFirst(
  rt: PlacesHost,
  { definition, name }: Pick<Box, 'definition' | 'name'>,
  ports: readonly Port[],
): Promise<JoinedNetwork> {
  const { names, network, endpoints } = definition;
  const [asked] = endpoints;
  if (hasLimitedOwn(definition)) return await limitedOwn(rt, { definition, name }, ports);
  if (network !== 'user') return await ownNetwork(definition, ports);
  // It was disconnected from all of them.
  if (asked === undefined) return await ownNetwork({ ...definition, network: 'none' }, ports);
  const host = await gatewayFor(names);
  // An internal network publishes none; a later one of the box may.
  const here = publishingPlace(rt, definition)?.network === asked.network ? ports : [];
  const { place, mtu, tap, whole } = await enterNetwork(
    ...([rt, { definition, name }, { asked, card: 0, ports: here }] as const),
  );
  const { address, prefixLength, gateway, mac } = place;
  return {
    nic: { mac, ports: [], tap },
    network: {
      ...{ kind: 'nic', mac, mtu, address, prefixLength, gateway },
      nameservers: [gateway],
      ...resolverOf(names, NETWORK_OPTIONS),
    },
    hosts: hostsOf(names, host),
    ...{ whole, release: () => closeSync(tap) },
  };
}

/** A network that the box has to itself, behind rules of the host. */
async function limitedOwn(
  rt: PlacesHost,
  box: Pick<Box, 'definition' | 'name'>,
  ports: readonly Port[],
): Promise<JoinedNetwork> {
  const { names } = box.definition;
  const hosts = hostsOf(names, await gatewayFor(names));
  const { tap, whole } = await enterLimitedOwn(rt, box, ports);
  const mac = macAddress(box.definition);
  return {
    nic: { mac, ports: [], tap },
    ...{ network: guestNic(mac, names), hosts, whole, release: () => closeSync(tap) },
  };
}

/** The network of a box that is in none, or in one of its own. Nothing is made. */
export async function ownNetwork(
  definition: Pick<BoxDefinition, 'id' | 'mac' | 'network' | 'names' | 'egress'>,
  ports: readonly Port[],
): Promise<JoinedNetwork> {
  const release = (): void => undefined;
  if (definition.network === 'user') throw withoutNetwork(definition.id);
  if (hasLimitedOwn(definition)) throw withoutLimits(definition.id);
  const { names } = definition;
  const hosts = hostsOf(names, await gatewayFor(names));
  const rest = { hosts, whole: Promise.resolve(), release };
  if (definition.network === 'none') return { nic: undefined, network: { kind: 'none' }, ...rest };
  const mac = macAddress(definition);
  return { nic: { mac, ports: ports.map(forward) }, network: guestNic(mac, names), ...rest };
}

function withoutLimits(id: string): A3sError {
  return new A3sError('internal', `Cannot give ${id.slice(0, 12)} a network without its limits`);
}

/** A box that is to be in a network of others is never put into one of its own instead. */
function withoutNetwork(id: string): A3sError {
  return new A3sError('internal', `Cannot put ${id.slice(0, 12)} into its user-defined network`);
}
