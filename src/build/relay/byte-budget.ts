/**
 * A bound on the bytes that all calls together hold in memory.
 *
 * @module
 */

/** More than the bound would be held. */
export class BudgetError extends Error {}

export class ByteBudget {
  readonly #max: number;
  #held = 0;

  constructor(max: number) {
    this.#max = max;
  }

  get held(): number {
    return this.#held;
  }

  /** What one call holds of it. */
  share(): BudgetShare {
    let mine = 0;
    let isOver = false;
    return {
      hold: (bytes) => {
        if (isOver || this.#held + bytes > this.#max) {
          throw new BudgetError('the messages of the builds under way fill the memory for them');
        }
        mine += bytes;
        this.#held += bytes;
      },
      release: () => {
        isOver = true;
        this.#held -= mine;
        mine = 0;
      },
    };
  }
}

export interface BudgetShare {
  /** @throws BudgetError also after the release */
  hold(bytes: number): void;
  /** Gives all of it back, for good. */
  release(): void;
}
