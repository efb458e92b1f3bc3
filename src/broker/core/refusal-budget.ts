/**
 * Limits how many refusals the audit log records: anybody can be refused, and the log is kept.
 *
 * @module
 */

const AT_ONCE = 256;
const PER_SECOND = 8;

export class RefusalBudget {
  readonly #now: () => number;
  #left = AT_ONCE;
  #at: number;
  #suppressed = 0;

  constructor(now: () => number) {
    this.#now = now;
    this.#at = now();
  }

  /**
   * Undefined where this refusal is counted alone. Otherwise how many before it were, since the
   * last that was recorded.
   */
  take(): number | undefined {
    const now = this.#now();
    this.#left = Math.min(AT_ONCE, this.#left + (Math.max(0, now - this.#at) * PER_SECOND) / 1000);
    this.#at = now;
    if (this.#left < 1) {
      this.#suppressed += 1;
      return undefined;
    }
    this.#left -= 1;
    return this.drain();
  }

  /** How many were counted alone; they count no more. */
  drain(): number {
    const count = this.#suppressed;
    this.#suppressed = 0;
    return count;
  }
}
