/**
 * The places of a box in user-defined networks, on record and on the host.
 *
 * @module
 */
import { closeSync } from 'node:fs';
import { GUEST_NETWORK, TAP_MTU } from '../../engine/network.ts';
import { A3sError } from '../../errors.ts';
import type { Endpoint as HostEndpoint } from '../../networks/host/endpoint.ts';
import type { Attachment } from '../../networks/host/host-networks.ts';
import { reachedBy } from '../../networks/links.ts';
import type { Endpoint, NetworkRecord } from '../../networks/network.ts';
import { mtuOf } from '../../networks/options.ts';
import { BRIDGE, BRIDGE_SUBNET } from '../../networks/predefined.ts';
import type { Box, BoxDefinition, Port } from '../record/box.ts';
import { boxDirectory } from '../record/directories.ts';
import type { BoxEndpoint } from '../record/endpoint.ts';
import type { Services } from '../services/services.ts';
import { askedPorts } from '../spec/asked-ports.ts';
import { egressIn, expectLimits } from '../spec/egress.ts';
import { namesIn } from '../spec/links.ts';
import { forward, macAddress } from '../spec/network.ts';
import { gatewayFor } from '../spec/resolver.ts';
import type { RunningBox } from './running-box.ts';

/** What it takes of the server that a box comes into a network. */
export type PlacesHost = Pick<Services, 'networks' | 'hostNetworks' | 'home'>;

/** A place on record, and the way there. */
export interface Entered extends Attachment {
  readonly place: Endpoint;
  readonly mtu: number;
}

/** A box of which nothing counts here but what it is and how it is called. */
type NamedBox = Pick<Box, 'definition' | 'name'>;

/**
 * Puts a box into a user-defined network, anew where it is there already.
 *
 * @param card the number of the box's card in it
 * @param cardMac its hardware address, where it has one already
 * @param ports those that are published there, with their real numbers
 * @throws A3sError `no-such-network`, `network-unavailable`, `network-failed`, `port-in-use`,
 * `address-in-use`
 */
export async function enterNetwork(
  rt: PlacesHost,
  box: NamedBox,
  {
    asked,
    card,
    cardMac,
    ports,
  }: {
    readonly asked: BoxEndpoint;
    readonly card: number;
    readonly cardMac?: string | undefined;
    readonly ports: readonly Port[];
  },
): Promise<Entered> {
  await rt.networks.expectAvailable();
  const place = rt.networks.attach(asked.network, box.definition.id, asked, card, cardMac);
  const endpoint = await hostEndpoint(rt, box, { asked, place, ports });
  return { place, mtu: endpoint.network.mtu, ...(await rt.hostNetworks.attach(endpoint)) };
}

/** Whether the network that the box has to itself is one that the host filters for it. */
export function hasLimitedOwn({
  network,
  egress,
}: Pick<BoxDefinition, 'network' | 'egress'>): boolean {
  return network === 'default' && egress !== undefined;
}

/** The networks of a box besides the one that the first card of its microVM leads to. */
export function furtherEndpoints({
  network,
  endpoints,
}: Pick<BoxDefinition, 'network' | 'endpoints'>): readonly BoxEndpoint[] {
  return endpoints.slice(network === 'default' ? 0 : 1);
}

/**
 * Whether the box's packets leave by a namespace of the host, and not by a translator beside its
 * VMM.
 */
export function isLedByHost(definition: Pick<BoxDefinition, 'network' | 'egress'>): boolean {
  return definition.network === 'user' || hasLimitedOwn(definition);
}

/**
 * Makes the network that a limited box has to itself, anew where it is there already.
 * @throws A3sError `network-unavailable`, `network-failed`, `port-in-use`
 */
export async function enterLimitedOwn(
  rt: PlacesHost,
  { definition, name }: NamedBox,
  ports: readonly Port[],
): Promise<Attachment> {
  await expectLimits(rt.networks, definition.egress);
  const { address, gateway, nameserver, mtu } = GUEST_NETWORK;
  return await rt.hostNetworks.attach({
    ...{ box: definition.id, names: [name], address, mac: macAddress(definition) },
    network: { id: BRIDGE.id, subnet: BRIDGE_SUBNET, gateway, internal: false, mtu },
    ...{ ports: ports.map(forward), resolver: nameserver },
    egress: await egressIn({
      ...{ definition, network: undefined },
      directory: boxDirectory(rt, definition.id),
    }),
  });
}

/**
 * Puts a box that has a microVM into a network, by a card of its own. The guest has yet to be told.
 */
export async function attachCard(
  rt: PlacesHost,
  box: NamedBox,
  vm: RunningBox['vm'],
  wanted: Parameters<typeof enterNetwork>[2],
): Promise<void> {
  const { place, tap, whole } = await enterNetwork(rt, box, wanted);
  try {
    await whole;
    await vm.attachNic(wanted.card, { mac: place.cardMac ?? place.mac, uplink: { tap } });
  } finally {
    closeSync(tap);
  }
}

/**
 * The user-defined network in which a box's ports are published; undefined: in its own network, or
 * nowhere. As in Docker, an internal network publishes none.
 */
export function publishingPlace(
  { networks }: Pick<Services, 'networks'>,
  { network, endpoints }: Pick<BoxDefinition, 'network' | 'endpoints'>,
): BoxEndpoint | undefined {
  if (network !== 'user') return undefined;
  return endpoints.find((each) => networks.get(each.network)?.internal === false);
}

/** Whether ports at IPv6 addresses of the host lead to a box by IPv4: it has no IPv6 there. */
export function isRelayed(
  rt: Pick<Services, 'networks'>,
  definition: Pick<BoxDefinition, 'network' | 'endpoints'>,
): boolean {
  const place = publishingPlace(rt, definition);
  return place === undefined || rt.networks.get(place.network)?.ipv6 === undefined;
}

/** The ports that the box asks for, unless its networks publish none. */
export function portsInNetworks(
  rt: Pick<Services, 'networks'>,
  definition: BoxDefinition,
): readonly Port[] {
  const isNowhere = definition.network === 'user' && publishingPlace(rt, definition) === undefined;
  return isNowhere ? [] : askedPorts(definition);
}

/** Publishes the ports in the network of the box that publishes them. */
export async function publishPorts(
  rt: PlacesHost,
  box: NamedBox,
  ports: readonly Port[],
): Promise<void> {
  const { id } = box.definition;
  const asked = publishingPlace(rt, box.definition);
  const place = rt.networks.endpointsOfBox(id).find(({ network }) => network === asked?.network);
  if (asked === undefined || place === undefined) return;
  await rt.hostNetworks.publish(await hostEndpoint(rt, box, { asked, place, ports }));
}

/** The lowest number that no card of the box has, where its cards come and go. */
export function freeCard(
  { networks }: Pick<Services, 'networks'>,
  { definition }: NamedBox,
): number {
  const used = usedCards(networks, definition);
  let card = 0;
  while (used.has(card)) card += 1;
  return card;
}

/**
 * The card that is to lead to a further network. A confidential box has its cards for good, with
 * their hardware addresses, and gets one that leads nowhere now.
 *
 * @throws A3sError `conflict` where each card leads somewhere
 */
export async function cardFor(
  rt: Pick<Services, 'networks'>,
  box: NamedBox,
  vm: Pick<RunningBox['vm'], 'cards'>,
): Promise<{ readonly card: number; readonly cardMac?: string }> {
  const cards = await vm.cards();
  if (cards === undefined) return { card: freeCard(rt, box) };
  const used = usedCards(rt.networks, box.definition);
  const card = cards.findIndex(({ redirectable }, index) => redirectable && !used.has(index));
  const found = cards[card];
  if (found !== undefined) return { card, cardMac: found.mac };
  throw new A3sError(
    'conflict',
    `Cannot connect ${box.name} to another network: no card of its microVM can be led there`,
    { remedy: 'Restart the box, which then has a card for each network that it may be in.' },
  );
}

/** The numbers of the cards that a box has by its record. */
export function usedCards(
  networks: Pick<Services['networks'], 'endpointsOfBox'>,
  { id, network }: Pick<BoxDefinition, 'id' | 'network'>,
): ReadonlySet<number> {
  const cards = networks.endpointsOfBox(id).map(({ card }) => card);
  return new Set(network === 'default' ? [0, ...cards] : cards);
}

/** The largest packet that a network carries. */
export function mtuIn({ options }: Pick<NetworkRecord, 'options'>): number {
  return mtuOf(options) ?? TAP_MTU;
}

async function hostEndpoint(
  rt: Pick<Services, 'networks' | 'home'>,
  { definition, name }: NamedBox,
  { asked, place, ports }: { asked: BoxEndpoint; place: Endpoint; ports: readonly Port[] },
): Promise<HostEndpoint> {
  const record = rt.networks.get(place.network);
  if (record === undefined) {
    throw new A3sError('no-such-network', `network ${asked.name} not found`, {
      remedy: 'List them with a3s-box network ls.',
    });
  }
  const { id, subnet, gateway, ipv6, internal, links } = record;
  const reaches = reachedBy(record, definition.id);
  return {
    box: definition.id,
    names: namesIn({ definition, name }, asked),
    network: {
      ...{ id, subnet, gateway, internal, mtu: mtuIn(record) },
      ...(ipv6 === undefined ? {} : { ipv6: { subnet: ipv6.subnet, gateway: ipv6.gateway } }),
    },
    ...{ address: place.address, mac: place.mac, ports: ports.map(forward) },
    ...(place.cardMac === undefined ? {} : { cardMac: place.cardMac }),
    ...(place.ipv6 === undefined ? {} : { address6: place.ipv6.address }),
    // Boxes that are linked reach each other there, and nothing else.
    ...(reaches === undefined ? {} : { reaches }),
    ...(links === undefined ? await outside(rt, definition, record) : {}),
  };
}

/** What a box has of the world by a network. */
async function outside(
  rt: Pick<Services, 'home'>,
  definition: BoxDefinition,
  record: NetworkRecord,
): Promise<Pick<HostEndpoint, 'nameservers' | 'host' | 'egress'>> {
  return {
    nameservers: definition.names.servers,
    host: await gatewayFor(definition.names),
    egress: await egressIn({
      ...{ definition, network: record },
      directory: boxDirectory(rt, definition.id),
    }),
  };
}
