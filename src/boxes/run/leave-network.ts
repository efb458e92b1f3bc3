/**
 * Takes a box out of its user-defined network, once its microVM is gone.
 *
 * @module
 */
import type { Box } from '../record/box.ts';
import type { Services } from '../services/services.ts';

/** What it takes of the server that a box leaves its network. */
export type LeaveHost = Pick<Services, 'networks' | 'hostNetworks' | 'log'>;

/**
 * Never rejects: what is left of a network must not keep a run from its end. The next server
 * removes it.
 */
export async function leaveNetwork(
  rt: LeaveHost,
  { definition: { id, network, endpoints } }: Box,
): Promise<void> {
  if (network !== 'user') return;
  try {
    await rt.hostNetworks.detach(id);
  } catch (error) {
    // Its namespace may still have the address, which therefore stays the box's until the next
    // server has removed both.
    rt.log.error('a box was not taken out of its network', error, { box: id });
    return;
  }
  for (const endpoint of endpoints) rt.networks.detach(endpoint.network, id);
}
