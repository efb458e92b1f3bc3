/**
 * Ending a start that is under way.
 *
 * @module
 */
import type { Runtime } from '../runtime.ts';

/**
 * Firmware that refuses what it was handed says nothing and spins: without this, the start of such a box would hold its lock
 * until the guest's time is over. Whatever else starts does so in a moment, or fails.
 *
 * The start fails, and lets go of the lock; a machine that is only on its way ends as soon as it is there.
 *
 * @returns whether there is such a start
 */
export async function endStart(
  rt: Pick<Runtime, 'store' | 'running'>,
  id: string,
): Promise<boolean> {
  const box = rt.store.get(id);
  if (box?.definition.confidential === undefined || box.state.status !== 'starting') return false;
  rt.store.amend(id, { stopRequested: true });
  await rt.running.get(id)?.machine.kill();
  return true;
}
