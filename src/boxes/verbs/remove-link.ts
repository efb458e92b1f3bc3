/**
 * Removes a link of a box in `bridge`, while the box runs or before its next start.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { BoxDefinition } from '../record/box.ts';
import { changingNetworks } from '../run/changing-networks.ts';
import { guestNetworks } from '../run/guest-networks.ts';
import { leaveGuest } from '../run/leave-guest.ts';
import { linkPlaces } from '../run/link-places.ts';
import type { RunningBox } from '../run/running-box.ts';
import { type ConnectHost, runningOf } from './connect.ts';

type BoxLinks = NonNullable<BoxDefinition['boxLinks']>;

/**
 * Both boxes stay. The box that has the link loses its way to the other one, unless another link
 * leads there, and its names; its processes keep their variables.
 *
 * @param reference `BOX/ALIAS`
 * @throws A3sError `no-such-box`; `conflict` for a box instead of a link, and while it is paused
 */
export async function removeLink(rt: ConnectHost, reference: string): Promise<void> {
  rt.store.resolve(reference);
  const [parent = '', alias] = reference.replace(/^\//, '').split('/');
  if (alias === undefined) {
    throw new A3sError(
      'conflict',
      'Conflict, cannot remove the default link name of the container',
      { remedy: 'Name a link as BOX/ALIAS: the box that has it, and the name that it gives.' },
    );
  }
  const { id } = rt.store.resolve(parent).definition;
  await rt.locks.run(id, async () => {
    const box = rt.store.expect(id);
    const links = box.definition.boxLinks ?? [];
    const removed = links.find((link) => link.alias === alias);
    if (removed === undefined) return;
    const running = runningOf(rt, box);
    const boxLinks = links.filter((link) => link !== removed);
    await changingNetworks(rt, running, () => unlink(rt, { id, boxLinks, removed }, running));
  });
}

async function unlink(
  rt: ConnectHost,
  { id, boxLinks, removed }: { id: string; boxLinks: BoxLinks; removed: BoxLinks[number] },
  running: RunningBox | undefined,
): Promise<void> {
  const after = rt.store.redefine(id, { boxLinks });
  if (running === undefined) return;
  const left = linkPlaces(rt.networks, id).find(({ network }) => network.links === removed.box);
  if (left === undefined || boxLinks.some(({ box: target }) => target === removed.box)) {
    const guest = await running.guest();
    await guest.putNetworks(guestNetworks(rt, after), running.signal);
    return;
  }
  await rt.hostNetworks.detach(id, left.network.id);
  rt.networks.detach(left.network.id, id);
  await leaveGuest(rt, after, running, left.place.card);
}
