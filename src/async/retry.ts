/**
 * Polls for a state that sends no event: a socket that another program is about to listen on, or a
 * process that is not a child.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';

const INTERVAL_MS = 2;
const LONGEST_INTERVAL_MS = 50;

/**
 * Repeats the attempt until it returns something other than undefined.
 *
 * @param signal the deadline; aborting rejects with its reason
 */
export async function retry<T>(
  attempt: () => Promise<T | undefined>,
  signal: AbortSignal,
): Promise<T> {
  for (let interval = INTERVAL_MS; ; interval = Math.min(interval * 1.2, LONGEST_INTERVAL_MS)) {
    signal.throwIfAborted();
    const result = await attempt();
    if (result !== undefined) return result;
    await delay(interval, undefined, { signal }).catch(() => signal.throwIfAborted());
  }
}
