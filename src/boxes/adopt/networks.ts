/**
 * Takes over the networks that an earlier server left on the host, and keeps them in order.
 *
 * @module
 */
import type { Services } from '../services/services.ts';

/** How often the processes of networks are looked at. */
const INTERVAL_MS = 2_000;

/**
 * Keeps the places that are on record, which are those of boxes that run by their records, and
 * removes what is left of others. A box that turns out to be gone leaves its networks afterwards,
 * when its end is recorded.
 */
export async function adoptNetworks(
  rt: Pick<Services, 'networks' | 'hostNetworks' | 'log'>,
): Promise<void> {
  const kept = rt.networks.list().flatMap(({ id }) => rt.networks.endpointsOf(id));
  try {
    await rt.hostNetworks.reconcile(kept);
  } catch (error) {
    // Boxes that need no network must not wait for this.
    rt.log.error('the networks on the host could not be taken over', error);
  }
}

/** Starts processes of networks again that have ended, until the server ends. */
export function watchNetworks({
  hostNetworks,
  shutdown,
}: Pick<Services, 'hostNetworks' | 'shutdown'>): void {
  let repairing = false;
  const timer = setInterval(async () => {
    if (repairing) return;
    repairing = true;
    await hostNetworks.repair();
    repairing = false;
  }, INTERVAL_MS).unref();
  shutdown.addEventListener('abort', () => clearInterval(timer), { once: true });
}
