/**
 * How often something costly may be asked for: a bucket of tokens that fills up by itself.
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

  /** Whether one more may be had. */
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
