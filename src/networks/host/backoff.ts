/**
 * When to try again what has failed: after 2, 4, 8 … seconds, at most a minute.
 *
 * @module
 */

const FIRST_SECONDS = 2;
const MAX_SECONDS = 60;

export class Backoff {
  readonly #now: () => number;
  readonly #tries = new Map<string, { readonly at: number; readonly wait: number }>();

  /** @param now in seconds */
  constructor(now: () => number = () => performance.now() / 1000) {
    this.#now = now;
  }

  /** Whether it is time. The next time is later then, unless this one lasts for a minute. */
  mayTry(key: string): boolean {
    const now = this.#now();
    const last = this.#tries.get(key);
    const since = last === undefined ? Number.POSITIVE_INFINITY : now - last.at;
    if (last !== undefined && since < last.wait) return false;
    const lasted = last === undefined || since >= last.wait + MAX_SECONDS;
    const wait = lasted ? FIRST_SECONDS : Math.min(2 * last.wait, MAX_SECONDS);
    this.#tries.set(key, { at: now, wait });
    return true;
  }

  forget(key: string): void {
    this.#tries.delete(key);
  }
}
