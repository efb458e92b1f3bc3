/**
 * The links of a box in `bridge` at its start: the boxes that they lead to get cards for them while
 * they run.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { NetworkRecord } from '../../networks/network.ts';
import type { Box } from '../record/box.ts';
import { changingNetworks } from '../run/changing-networks.ts';
import { guestNetworks } from '../run/guest-networks.ts';
import { leaveGuest } from '../run/leave-guest.ts';
import { linkEndpoint } from '../run/link-places.ts';
import { attachCard, freeCard, type PlacesHost } from '../run/network-places.ts';
import type { RunServices } from '../run/run-services.ts';
import { notRunning, type RunningBox } from '../run/running-box.ts';
import { activeLinks, expectLinkable, linkName } from '../spec/box-links.ts';

/** What it takes of the server that a box is linked to others. */
export type LinkHost = PlacesHost & Pick<RunServices, 'store' | 'running' | 'locks' | 'log'>;

/**
 * Puts the boxes that a box is linked to into the networks of their links, and the box on record
 * there. Its microVM gets its cards later.
 *
 * The caller holds the lock of the box. This takes those of boxes that were there when it was
 * created, so no two boxes wait for each other.
 *
 * @throws A3sError `box-not-running`, `conflict`, in Docker's words; `network-unavailable`,
 * `network-failed`
 */
export async function enterLinks(
  rt: LinkHost,
  box: Pick<Box, 'definition' | 'name'>,
): Promise<void> {
  const links = activeLinks(rt, box);
  if (links.length === 0) return;
  const { id, endpoints } = box.definition;
  await rt.networks.expectAvailable('link boxes in bridge');
  const aliases = new Map<string, string>();
  for (const { alias, target } of links) {
    const { id: of } = target.definition;
    if (!aliases.has(of)) aliases.set(of, alias);
  }
  for (const [at, [target, alias]] of [...aliases].entries()) {
    await rt.locks.run(target, async () => {
      const network = await enterTarget(rt, target, linkName(box, alias));
      // Before it are its own card, and those of its user-defined networks.
      if (network !== undefined) rt.networks.attach(network.id, id, {}, 1 + endpoints.length + at);
    });
  }
}

/** @returns undefined where the box is gone, and the link with it */
async function enterTarget(
  rt: LinkHost,
  id: string,
  link: string,
): Promise<NetworkRecord | undefined> {
  const target = rt.store.get(id);
  if (target === undefined) return undefined;
  const { name, definition, state } = target;
  const isPaused = state.status === 'paused';
  if (state.status !== 'running' && !isPaused) {
    throw new A3sError(
      'box-not-running',
      `Cannot link to a non running container: /${name} AS ${link}`,
      { remedy: `Start ${name} first, or remove the link with a3s-box rm --link.` },
    );
  }
  expectLinkable(target);
  if (definition.network !== 'default') {
    throw new A3sError('conflict', `container ${id} not attached to default bridge network`, {
      remedy: 'Use a user-defined network that both boxes are in.',
    });
  }
  const network = await rt.networks.openLinks(id);
  if (rt.networks.endpointsOf(network.id).some(({ box }) => box === id)) return network;
  if (isPaused) {
    throw new A3sError('conflict', `Cannot link to ${name}: it is paused`, {
      remedy: 'Unpause it first.',
    });
  }
  await attachTarget(rt, target, network);
  return network;
}

async function attachTarget(rt: LinkHost, target: Box, network: NetworkRecord): Promise<void> {
  const { id } = target.definition;
  const running = rt.running.get(id);
  if (running === undefined) throw notRunning(id);
  await changingNetworks(rt, running, () => attachRunning(rt, target, running, network));
}

async function attachRunning(
  rt: LinkHost,
  target: Box,
  running: RunningBox,
  network: NetworkRecord,
): Promise<void> {
  const { id } = target.definition;
  const [card, asked] = [freeCard(rt, target), linkEndpoint(network, id)];
  try {
    await attachCard(rt, target, running.vm, { asked, card, ports: [] });
    const guest = await running.guest();
    await guest.putNetworks(guestNetworks(rt, target), running.signal);
  } catch (error) {
    try {
      await rt.hostNetworks.detach(id, network.id);
      rt.networks.detach(network.id, id);
    } catch (cause) {
      rt.log.error('a box was not taken out of a network of links', cause, { box: id });
    }
    await leaveGuest(rt, target, running, card);
    throw error;
  }
}
