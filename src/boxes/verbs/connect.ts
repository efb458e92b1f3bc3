/**
 * Connects a box to a network, and disconnects it, while it runs or before its next start.
 *
 * @module
 */

import { requireFeature } from '../../engine/engine-name.ts';
import { A3sError } from '../../errors.ts';
import type { Endpoint } from '../../networks/network.ts';
import { BRIDGE } from '../../networks/predefined.ts';
import { expectNetworksPermitted } from '../confidential/permitted-networks.ts';
import type { Box, BoxDefinition } from '../record/box.ts';
import type { BoxEndpoint } from '../record/endpoint.ts';
import { changingNetworks } from '../run/changing-networks.ts';
import { guestNetworks } from '../run/guest-networks.ts';
import { leaveGuest } from '../run/leave-guest.ts';
import { linkPlaces } from '../run/link-places.ts';
import {
  attachCard,
  cardFor,
  hasLimitedOwn,
  type PlacesHost,
  publishingPlace,
} from '../run/network-places.ts';
import type { RunServices } from '../run/run-services.ts';
import { notRunning, type RunningBox } from '../run/running-box.ts';
import { besideNone } from '../spec/beside-none.ts';
import { checkEgress } from '../spec/egress.ts';
import { type EndpointRequest, resolveEndpoint } from '../spec/endpoints.ts';
import { publishAnew } from '../start/publish-anew.ts';

/** What a change of networks needs of the server. */
export type ConnectHost = PlacesHost & Pick<RunServices, 'store' | 'running' | 'locks' | 'log'>;

/** Since this version of the protocol, a confidential guest has its cards back from its box. */
const CARDS_KEPT = 19;

type Networks = Pick<BoxDefinition, 'network' | 'networkMode' | 'endpoints'>;

/**
 * Puts a box into a user-defined network.
 *
 * @throws A3sError `network-forbidden` where it is there already; `invalid-argument`,
 * `unsupported-option`, `conflict`, and what a start in the network may fail with
 */
export async function connectBox(
  rt: ConnectHost,
  id: string,
  request: EndpointRequest,
): Promise<void> {
  await rt.locks.run(id, async () => {
    const box = rt.store.expect(id);
    const { definition, state } = box;
    checkChangeable(box);
    const asked = resolveEndpoint(rt, request);
    if (definition.endpoints.some(({ network }) => network === asked.network)) {
      throw alreadyConnected(box, asked.name);
    }
    checkConnectable(box);
    requireFeature(definition.engine?.name, 'networks', `connect ${box.name} to ${asked.name}`);
    const running = runningOf(rt, box);
    // One that could not be disconnected has to be disconnected first.
    if (running !== undefined && placeIn(rt, id, asked.network) !== undefined) {
      throw alreadyConnected(box, asked.name);
    }
    const endpoints = [...definition.endpoints, asked];
    checkEgress({ ...definition, endpoints });
    const after: Networks = { network: definition.network, ...modeOf(definition), endpoints };
    expectNetworksPermitted(box, after);
    if (running !== undefined) await expectChangeableGuest(box, running);
    await changingNetworks(rt, running, async () => {
      if (running !== undefined) await attachWhileRunning(rt, box, running, { asked, after });
      rt.store.redefine(id, after);
      if (running !== undefined && state.ports.length === 0) await publishAnew(rt, running);
    });
  });
}

/**
 * Gives a box its own network, which is Docker's `bridge`, before its next start.
 *
 * @throws A3sError `network-forbidden` where it has it; `unsupported-option` while it runs
 */
export async function connectToOwn(rt: ConnectHost, id: string): Promise<void> {
  await rt.locks.run(id, async () => {
    const box = rt.store.expect(id);
    const { definition } = box;
    checkChangeable(box);
    if (definition.network === 'default') throw alreadyConnected(box, 'bridge');
    checkConnectable(box);
    checkEgress({ ...definition, network: 'default' });
    expectNetworksPermitted(box, { ...definition, network: 'default' });
    if (runningOf(rt, box) !== undefined) {
      throw new A3sError(
        'unsupported-option',
        `Cannot connect ${box.name} to bridge while it runs: its microVM gets that network at its start`,
        { remedy: 'Stop the box, connect it, and start it again.' },
      );
    }
    rt.store.redefine(id, { ...modeOf(definition), network: 'default' });
  });
}

/**
 * Takes a box out of a network.
 *
 * @param network the id of a user-defined network; undefined: the box's own network, or none
 * @throws A3sError `conflict` where it is paused; `unsupported-option`
 */
export async function disconnectBox(
  rt: ConnectHost,
  id: string,
  network: string | undefined,
): Promise<void> {
  await rt.locks.run(id, async () => {
    const box = rt.store.expect(id);
    checkChangeable(box);
    const running = runningOf(rt, box);
    if (running !== undefined) await expectChangeableGuest(box, running);
    await changingNetworks(rt, running, () => leaveOne(rt, box, running, network));
  });
}

async function leaveOne(
  rt: ConnectHost,
  { definition, state }: Box,
  running: RunningBox | undefined,
  network: string | undefined,
): Promise<void> {
  const { id } = definition;
  const endpoints = definition.endpoints.filter((each) => each.network !== network);
  const place = network === undefined ? undefined : placeIn(rt, id, network);
  const published = publishingPlace(rt, definition);
  // The record comes first: a server that takes over takes the rest away. Where the host refuses,
  // the place stays, and the box can be disconnected again.
  const isResumed = endpoints.length === definition.endpoints.length;
  const after = rt.store.redefine(id, {
    ...modeOf(definition),
    network: network === undefined ? 'user' : definition.network,
    endpoints,
  });
  if (running === undefined) return;
  if (network === undefined) {
    if (definition.network !== 'default') return;
    if (hasLimitedOwn(definition)) await rt.hostNetworks.detach(id, BRIDGE.id);
    // Links are of that network. Their cards leave the guest one by one.
    const linked = linkPlaces(rt.networks, id);
    for (const { network: of } of linked) {
      await rt.hostNetworks.detach(id, of.id);
      rt.networks.detach(of.id, id);
    }
    for (const card of [0, ...linked.map(({ place }) => place.card)]) {
      await leaveGuest(rt, after, running, card);
    }
  } else {
    await rt.hostNetworks.detach(id, network);
    rt.networks.detach(network, id);
    if (place !== undefined) await leaveGuest(rt, after, running, place.card);
  }
  const hadPorts = isResumed || published?.network === network;
  if (hadPorts && state.ports.length > 0) await publishAnew(rt, running);
}

async function attachWhileRunning(
  rt: ConnectHost,
  box: Box,
  running: RunningBox,
  { asked, after }: { asked: BoxEndpoint; after: Networks },
): Promise<void> {
  const { definition, name } = box;
  const onCard = await cardFor(rt, box, running.vm);
  try {
    await attachCard(rt, box, running.vm, { asked, ...onCard, ports: [] });
    const guest = await running.guest();
    const changed = { definition: { ...definition, ...after }, name };
    await guest.putNetworks(guestNetworks(rt, changed), running.signal);
  } catch (error) {
    try {
      await rt.hostNetworks.detach(definition.id, asked.network);
      // No other box gets the address while the host has something of this one there.
      rt.networks.detach(asked.network, definition.id);
    } catch (cause) {
      rt.log.error('a box was not taken out of a network', cause, { box: definition.id });
    }
    await leaveGuest(rt, box, running, onCard.card);
    throw error;
  }
}

/** The place of a box in a user-defined network, which it also has where it was not taken out. */
function placeIn(
  { networks }: Pick<ConnectHost, 'networks'>,
  id: string,
  network: string,
): Endpoint | undefined {
  return networks.endpointsOfBox(id).find((each) => each.network === network);
}

/**
 * @returns undefined where the box has no microVM
 * @throws A3sError `conflict` where its guest cannot be told of networks now
 */
export function runningOf(
  rt: Pick<RunServices, 'running'>,
  { definition: { id }, name, state: { status } }: Box,
): RunningBox | undefined {
  if (status === 'paused' || status === 'stopping' || status === 'removing') {
    throw new A3sError('conflict', `Cannot change the networks of ${name}: it is ${status}`, {
      remedy: status === 'paused' ? 'Unpause it first.' : 'Try again once it has stopped.',
    });
  }
  if (status !== 'running') return undefined;
  const running = rt.running.get(id);
  if (running === undefined) throw notRunning(id);
  return running;
}

function checkConnectable({ definition }: Box): void {
  if (definition.network === 'none') throw besideNone();
}

/**
 * Refuses where a document that is measured, or memory that was saved, has the network.
 *
 * @throws A3sError `host-not-permitted`, `unsupported-option`
 */
function checkChangeable(box: Box): void {
  expectNetworksPermitted(box);
  const { definition, name, state } = box;
  if (definition.snapshot === undefined || state.run > 0) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot change the networks of ${name}: it is a fork, and the memory that it starts from has the addresses of the box that was saved`,
    { remedy: 'Make the snapshot of a box in the network that its forks are to have.' },
  );
}

/**
 * Refuses where the agent of a confidential box would keep the card of a network that it leaves.
 *
 * @throws A3sError `unsupported-option`
 */
async function expectChangeableGuest(
  { definition, name }: Box,
  running: RunningBox,
): Promise<void> {
  if (definition.confidential === undefined) return;
  const guest = await running.guest();
  if (guest.speaks(CARDS_KEPT)) return;
  throw new A3sError(
    'unsupported-option',
    `Cannot change the networks of ${name} while it runs: its agent is from before confidential boxes could change theirs`,
    { remedy: 'Create the box again with the installed boot set.' },
  );
}

/** As in Docker, the main network is shown as it was at create. */
function modeOf({ networkMode, network, endpoints }: BoxDefinition): Pick<Networks, 'networkMode'> {
  const present =
    network === 'default' ? 'bridge' : network === 'none' ? 'none' : endpoints[0]?.name;
  const mode = networkMode ?? present;
  return mode === undefined ? {} : { networkMode: mode };
}

function alreadyConnected({ name }: Box, network: string): A3sError {
  return new A3sError(
    'network-forbidden',
    `endpoint with name ${name} already exists in network ${network}`,
    { remedy: 'The box is in this network already.' },
  );
}
