/**
 * Puts the networks of a running box in order that an earlier server was changing when it ended: on
 * record, on the host, and in the guest.
 *
 * @module
 */
import type { Box } from '../record/box.ts';
import { guestNetworks } from '../run/guest-networks.ts';
import { belongsInLinks, linkEndpoint, linkPlaces } from '../run/link-places.ts';
import { attachCard, usedCards } from '../run/network-places.ts';
import type { RunServices } from '../run/run-services.ts';
import type { RunningBox } from '../run/running-box.ts';
import { type PublishHost, publishAnew } from '../start/publish-anew.ts';

export type ReconcileNetworksHost = PublishHost & Pick<RunServices, 'log'>;

/** More than any microVM has. */
const MOST_CARDS = 32;

/**
 * The caller holds the box's lock. A box that is paused is put in order when it is unpaused. Never
 * rejects.
 */
export async function reconcileNetworks(
  rt: ReconcileNetworksHost,
  running: RunningBox,
): Promise<void> {
  const { id } = running;
  const box = rt.store.get(id);
  if (box?.state.changesNetworks !== true || box.state.status !== 'running') return;
  try {
    await leaveUndefinedNetworks(rt, box);
    // It may be on record in a network of links for which it has no card yet.
    for (const { network, place } of linkPlaces(rt.networks, id)) {
      const asked = linkEndpoint(network, id);
      await attachCard(rt, box, running.vm, { asked, card: place.card, ports: [] });
    }
    const guest = await running.guest();
    await guest.putNetworks(guestNetworks(rt, box), running.signal);
    const used = usedCards(rt.networks, box.definition);
    for (let card = 0; card < MOST_CARDS; card += 1) {
      if (!used.has(card)) await running.vm.detachNic(card);
    }
    await publishAnew(rt, running);
    rt.store.amend(id, { changesNetworks: undefined });
    rt.log.info('put the networks of a box in order', { box: id });
  } catch (error) {
    if (running.signal.aborted) return;
    rt.log.error('the networks of a box are not in order', error, { box: id });
  }
}

/** Takes a box out of networks that it is in by no definition: it was on its way in or out. */
async function leaveUndefinedNetworks(rt: ReconcileNetworksHost, box: Box): Promise<void> {
  const { id, endpoints } = box.definition;
  for (const { network } of rt.networks.endpointsOfBox(id)) {
    const record = rt.networks.get(network);
    const isLinked = record !== undefined && belongsInLinks(box, record);
    if (isLinked || endpoints.some((each) => each.network === network)) continue;
    await rt.hostNetworks.detach(id, network);
    rt.networks.detach(network, id);
  }
}
