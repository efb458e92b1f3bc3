/**
 * Limits the rate of costly requests: a token bucket that refills over time.
 *
 * @module
 */
export class RateLimit {
  readonly #burst: number;
  readonly #perSecond: number;
  readonly #now: () => number;
  #tokens: number;
  #filled: number;

  /** @param now milliseconds of a clock that never goes back */
  constructor(
    { burst, perSecond }: { readonly burst: number; readonly perSecond: number },
    now: () => number = () => performance.now(),
  ) {
    this.#burst = burst;
    this.#perSecond = perSecond;
    this.#now = now;
    this.#tokens = burst;
    this.#filled = now();
  }

  /** Takes a token; false where none is left. */
  take(): boolean {
    const now = this.#now();
    const gained = ((now - this.#filled) / 1000) * this.#perSecond;
    this.#tokens = Math.min(this.#burst, this.#tokens + gained);
    this.#filled = now;
    if (this.#tokens < 1) return false;
    this.#tokens -= 1;
    return true;
  }
}
