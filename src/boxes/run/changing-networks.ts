/**
 * Changes of the networks of a box that runs, which a server may be killed in.
 *
 * @module
 */
import type { RunServices } from './run-services.ts';
import type { RunningBox } from './running-box.ts';

/**
 * Does `work`, whose start is on record: a server that takes over in the middle of it puts the
 * networks in order.
 *
 * @param running undefined: there is nothing but the record
 */
export async function changingNetworks(
  rt: Pick<RunServices, 'store' | 'running'>,
  running: RunningBox | undefined,
  work: () => Promise<void>,
): Promise<void> {
  if (running === undefined) return await work();
  const { id } = running;
  // An earlier change that nobody has put in order yet stays on record.
  const wasChanging = rt.store.get(id)?.state.changesNetworks === true;
  rt.store.amend(id, { changesNetworks: true });
  try {
    await work();
  } finally {
    // One that this server has released may be in the middle for the next one.
    if (rt.running.get(id) === running && !running.released && !wasChanging) {
      rt.store.amend(id, { changesNetworks: undefined });
    }
  }
}
