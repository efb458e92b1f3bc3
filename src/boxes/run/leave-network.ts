/**
 * Takes a box out of its user-defined networks, once its microVM is gone.
 *
 * @module
 */
import type { Box } from '../record/box.ts';
import type { Services } from '../services/services.ts';
import { hasLimitedOwn } from './network-places.ts';

/** What it takes of the server that a box leaves its networks. */
export type LeaveHost = Pick<Services, 'networks' | 'hostNetworks' | 'log'>;

/**
 * Never rejects: what is left of a network must not keep a run from its end. The next server
 * removes it.
 */
export async function leaveNetwork(rt: LeaveHost, { definition }: Box): Promise<void> {
  const { id, endpoints } = definition;
  try {
    await rt.hostNetworks.relay(id, []);
  } catch (error) {
    rt.log.error('ports of a box at IPv6 addresses are still open', error, { box: id });
  }
  const places = rt.networks.endpointsOfBox(id);
  if (endpoints.length + places.length === 0 && !hasLimitedOwn(definition)) return;
  try {
    await rt.hostNetworks.detach(id);
  } catch (error) {
    // A namespace may still have an address, which therefore stays the box's until the next server
    // has removed both.
    rt.log.error('a box was not taken out of its networks', error, { box: id });
    return;
  }
  for (const { network } of places) rt.networks.detach(network, id);
}
