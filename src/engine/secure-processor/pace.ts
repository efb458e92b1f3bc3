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

/** A rate limit: a number of requests at once, and then so many a second. Requests above the limit wait. */
export class Pace {
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #clock: Clock;
  #turns: number;
  #counted: number;

  constructor({ burst, perSecond }: { burst: number; perSecond: number }, clock: Clock = SYSTEM) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#clock = clock;
    this.#turns = burst;
    this.#counted = clock.now();
  }

  /** Waits for a turn and takes it. One caller at a time. */
  async turn(signal: AbortSignal): Promise<void> {
    for (;;) {
      signal.throwIfAborted();
      const now = this.#clock.now();
      const earned = ((now - this.#counted) * this.#perSecond) / 1000;
      this.#turns = Math.min(this.#burst, this.#turns + earned);
      this.#counted = now;
      if (this.#turns >= 1) break;
      const missing = Math.ceil(((1 - this.#turns) * 1000) / this.#perSecond);
      await this.#clock.sleep(missing, signal);
    }
    this.#turns -= 1;
  }
}
