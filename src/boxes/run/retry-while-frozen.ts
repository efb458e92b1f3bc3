/**
 * Starts a process in a box that may be frozen for a moment, as it is while its memory is saved.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { GuestRefusal } from '../../guest/refusal.ts';
import type { RunningBox } from './running-box.ts';

const PAUSE_MS = 50;
/** Longer than it takes to save a microVM. */
const TIMEOUT_MS = 60_000;

/**
 * Starts the process as soon as the box goes on.
 *
 * @param check throws where the process must not be started any more
 * @throws A3sError what the guest refused, also where the box does not go on
 */
export async function retryWhileFrozen<T>(
  running: Pick<RunningBox, 'signal'>,
  start: () => Promise<T>,
  check: () => void,
): Promise<T> {
  const end = performance.now() + TIMEOUT_MS;
  for (;;) {
    try {
      return await start();
    } catch (error) {
      if (!isFrozen(error) || performance.now() > end) throw error;
    }
    await delay(PAUSE_MS, undefined, { signal: running.signal });
    check();
  }
}

/**
 * Other conflicts do not pass by themselves. An agent before protocol 6 does not distinguish this
 * one from them.
 */
function isFrozen(error: unknown): boolean {
  return error instanceof GuestRefusal && error.guestCode === 'frozen';
}
