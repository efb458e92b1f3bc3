/**
 * Tells what is new from what was there a short time ago.
 *
 * @module
 */

/** The same refusal, or failure, is reported once in this time. */
export const REPEAT_SECONDS = 60;

export class Recent {
  readonly #max: number;
  readonly #now: () => number;
  /** Until when, in seconds. */
  readonly #until = new Map<string, number>();

  /** @param max how many are remembered @param now in seconds */
  constructor(max: number, now: () => number) {
    this.#max = max;
    this.#now = now;
  }

  /** Whether it was not there for a minute. It is from now on. */
  isNew(key: string): boolean {
    const now = this.#now();
    if ((this.#until.get(key) ?? Number.NEGATIVE_INFINITY) > now) return false;
    // A guest that makes ever new ones gets its last ones reported, some of them again.
    if (this.#until.size >= this.#max) this.#until.clear();
    this.#until.set(key, now + REPEAT_SECONDS);
    return true;
  }
}
