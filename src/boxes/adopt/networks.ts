/**
 * Takes over the networks that an earlier server left on the host.
 *
 * @module
 */
import { mayHaveVm } from '../record/states.ts';
import type { Services } from '../services/services.ts';

/**
 * Keeps the networks of boxes that run by their records, and removes what is left of others. A box
 * that turns out to be gone leaves its network afterwards, when its end is recorded.
 */
export async function adoptNetworks(
  rt: Pick<Services, 'store' | 'hostNetworks' | 'log'>,
): Promise<void> {
  const kept = rt.store
    .list()
    .filter(({ definition, state }) => definition.network === 'user' && mayHaveVm(state.status));
  try {
    await rt.hostNetworks.reconcile(new Set(kept.map(({ definition }) => definition.id)));
  } catch (error) {
    // Boxes that need no network must not wait for this.
    rt.log.error('the networks on the host could not be taken over', error);
  }
}
