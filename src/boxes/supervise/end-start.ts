/**
 * Ends the start of a confidential box that is under way.
 *
 * @module
 */
import type { RunServices } from '../run/run-services.ts';

/**
 * Firmware that refuses its input reports nothing and spins. Without this, the start of such a box
 * would hold its lock until the guest's time is over. Every other start succeeds or fails soon.
 *
 * The start fails and releases the lock. A microVM that is not there yet is ended as soon as it is.
 *
 * @returns whether there is such a start
 */
export async function endStart(
  rt: Pick<RunServices, 'store' | 'running'>,
  id: string,
): Promise<boolean> {
  const box = rt.store.get(id);
  if (box?.definition.confidential === undefined || box.state.status !== 'starting') return false;
  rt.store.amend(id, { stopRequested: true });
  await rt.running.get(id)?.vm.kill();
  return true;
}
