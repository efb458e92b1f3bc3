/**
 * How often a failed task is retried in the background.
 *
 * @module
 */
const FIRST_MS = 30_000;
const LONGEST_MS = 3_600_000;
/** After this time without a failure it counts as sound again. */
const FORGOTTEN_MS = 6 * 3_600_000;

interface Failures {
  readonly count: number;
  readonly at: number;
  readonly waitMs: number;
}

export class Backoff {
  readonly #failures = new Map<string, Failures>();
  readonly #clock: () => number;

  /** @param clock in milliseconds, which never goes back */
  constructor(clock: () => number) {
    this.#clock = clock;
  }

  /** @param grace the first failure causes no delay */
  failed(key: string, grace = false): void {
    const at = this.#clock();
    const before = this.#recent(key)?.count ?? 0;
    const waitMs = grace && before === 0 ? 0 : Math.min(FIRST_MS * 2 ** before, LONGEST_MS);
    this.#failures.set(key, { count: before + 1, at, waitMs });
  }

  allows(key: string): boolean {
    const found = this.#recent(key);
    return found === undefined || this.#clock() - found.at >= found.waitMs;
  }

  #recent(key: string): Failures | undefined {
    for (const [each, { at }] of this.#failures) {
      if (this.#clock() - at >= FORGOTTEN_MS) this.#failures.delete(each);
    }
    return this.#failures.get(key);
  }
}
