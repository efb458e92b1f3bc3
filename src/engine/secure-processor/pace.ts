/**
 * Limits how often a guest may make requests.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';

export interface Clock {
  /** Milliseconds, ever growing. */
  now(): number;
  /** Rejects when the signal aborts. */
  sleep(milliseconds: number, signal: AbortSignal): Promise<void>;
}

const SYSTEM: Clock = {
  now: () => performance.now(),
  sleep: (milliseconds, signal) => delay(milliseconds, undefined, { signal, ref: false }),
};

/**
 * A rate limit: a number of requests at once, and then so many a second. Requests above the limit
 * wait.
 */
export class Pace {
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #clock: Clock;
  #tokens: number;
  #counted: number;

  constructor({ burst, perSecond }: { burst: number; perSecond: number }, clock: Clock = SYSTEM) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#tokens = burst;
    this.#counted = clock.now();
  }

  /** Waits for a token and takes it. One caller at a time. */
  async take(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const now = this.#clock.now();
      const earned = ((now - this.#counted) * this.#perSecond) / 1000;
      this.#tokens = Math.min(this.#burst, this.#tokens + earned);
      this.#counted = now;
      if (this.#tokens >= 1) break;
      const missing = Math.ceil(((1 - this.#tokens) * 1000) / this.#perSecond);
      await this.#clock.sleep(missing, signal);
    }
    this.#tokens -= 1;
  }
}
