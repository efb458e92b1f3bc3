/**
 * The guest's side of a network that its box is not in any more.
 *
 * @module
 */
import type { Box } from '../record/box.ts';
import { guestNetworks } from './guest-networks.ts';
import type { PlacesHost } from './network-places.ts';
import type { RunServices } from './run-services.ts';
import type { RunningBox } from './running-box.ts';

/** The host's side is gone already, so what a guest refuses keeps no box in a network. */
export async function leaveGuest(
  rt: PlacesHost & Pick<RunServices, 'store' | 'log'>,
  box: Box,
  running: RunningBox,
  card: number,
): Promise<void> {
  try {
    const guest = await running.guest();
    await guest.putNetworks(guestNetworks(rt, box), running.signal);
  } catch (error) {
    rt.log.error('a guest was not told that a network is gone', error, { box: running.id });
  }
  try {
    await running.vm.detachNic(card);
  } catch (error) {
    rt.log.error('a network card was not detached', error, { box: running.id });
  }
}
