/**
 * The time that all conditions may take together.
 *
 * @module
 */

export class EvaluationTime {
  readonly #milliseconds: number;
  #left: number;

  constructor(milliseconds: number) {
    this.#milliseconds = milliseconds;
    this.#left = milliseconds;
  }

  /**
   * @param most milliseconds that this piece of work may take
   * @throws Error when there is no time left
   */
  spend<Result>(most: number, work: (milliseconds: number) => Result): Result {
    // Timers have this resolution and may fire early, so less than one millisecond counts as none.
    const milliseconds = Math.floor(Math.min(most, this.#left));
    if (milliseconds <= 0) {
      throw new Error(
        `the conditions of this decision have taken their ${this.#milliseconds / 1000} seconds`,
      );
    }
    const start = performance.now();
    try {
      return work(milliseconds);
    } finally {
      this.#left -= performance.now() - start;
    }
  }
}
