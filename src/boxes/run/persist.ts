/**
 * Work with a guest that outlives its connection.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import type { Guest } from '../../guest/guest.ts';
import { finality } from '../../guest/refusal.ts';
import type { RunningBox } from './running-box.ts';

/** Pause before a lost connection is tried again. */
const RETRY_MS = 500;

/**
 * Does the work over a connection that is made anew whenever it was lost, until the work is done or
 * the box, or the pod, is gone.
 *
 * @throws what the work throws where the box is gone, or the agent no longer knows the process
 */
export async function persist(
  running: Pick<RunningBox, 'guest' | 'signal'>,
  work: (guest: Guest) => Promise<void>,
): Promise<void> {
  for (;;) {
    try {
      return await work(await running.guest());
    } catch (error) {
      if (running.signal.aborted || finality(error) !== undefined) throw error;
      await delay(RETRY_MS, undefined, { signal: running.signal });
    }
  }
}
