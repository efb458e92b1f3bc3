/**
 * Limits how many refusals the audit log records: anybody can be refused, and the log is kept.
 *
 * Guests, unknown clients of the API of administrators, and administrators have a budget each, and
 * within it no actor uses more than its own: one client hides no refusals of others.
 *
 * @module
 */

interface Limit {
  readonly atOnce: number;
  readonly perSecond: number;
}

/** Of all actors of one kind: what bounds how fast the log grows. */
const OF_KIND: Limit = { atOnce: 256, perSecond: 8 };
const OF_ACTOR: Limit = { atOnce: 64, perSecond: 1 };
const MAX_ACTORS = 4096;

interface Bucket {
  left: number;
  at: number;
}

export class RefusalBudget {
  readonly #now: () => number;
  readonly #kinds = new Map<string, Bucket>();
  /** Least recently used first. */
  readonly #actors = new Map<string, Bucket>();
  #suppressed = 0;

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Undefined if this refusal is only counted. Otherwise the number of those that were only counted
   * since the last recorded one; {@link restore} it if recording fails.
   *
   * @param actor as in the audit log: its kind is what precedes the colon
   */
  take(actor: string): number | undefined {
    const [kind = ''] = actor.split(':');
    const own = this.#refilled(this.#actors, actor, OF_ACTOR);
    if (this.#actors.size > MAX_ACTORS) this.#forgetOldest();
    const all = this.#refilled(this.#kinds, kind, OF_KIND);
    if (own.left < 1 || all.left < 1) {
      this.#suppressed += 1;
      return undefined;
    }
    own.left -= 1;
    all.left -= 1;
    return this.drain();
  }

  /** How many were only counted; the count begins again. */
  drain(): number {
    const count = this.#suppressed;
    this.#suppressed = 0;
    return count;
  }

  /** Counts again what could not be recorded. */
  restore(count: number): void {
    this.#suppressed += count;
  }

  #refilled(buckets: Map<string, Bucket>, name: string, { atOnce, perSecond }: Limit): Bucket {
    const now = this.#now();
    const { left, at } = buckets.get(name) ?? { left: atOnce, at: now };
    const refill = (Math.max(0, now - at) * perSecond) / 1000;
    const bucket = { left: Math.min(atOnce, left + refill), at: now };
    buckets.delete(name);
    buckets.set(name, bucket);
    return bucket;
  }

  #forgetOldest(): void {
    const [oldest] = this.#actors.keys();
    if (oldest !== undefined) this.#actors.delete(oldest);
  }
}
