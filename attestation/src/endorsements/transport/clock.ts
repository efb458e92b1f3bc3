/**
 * The clock, which a caller may replace.
 *
 * @module
 */
import { setTimeout } from 'node:timers/promises';

/** The time, and waiting for it: {@link SYSTEM_CLOCK} but in tests. */
export interface Clock {
  /** Milliseconds since 1970. */
  now(): number;
  /** Resolves after so many milliseconds, or rejects with the signal's reason as it aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

export const SYSTEM_CLOCK: Clock = {
  now: () => Date.now(),
  async sleep(milliseconds, signal) {
    try {
      await setTimeout(milliseconds, undefined, { signal });
    } catch {
      // The timer rejects with an error of its own, and only when the signal aborts.
      signal.throwIfAborted();
    }
  },
};
