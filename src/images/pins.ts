/** Counts who needs something that a sweep would otherwise delete. */
export class Pins<T> {
  readonly #counts = new Map<T, number>();

  get all(): Iterable<T> {
    return this.#counts.keys();
  }

  /** Holds the items while `task` runs. */
  async hold<R>(items: readonly T[], task: () => Promise<R>): Promise<R> {
    for (const item of items) this.#counts.set(item, (this.#counts.get(item) ?? 0) + 1);
    try {
      return await task();
    } finally {
      for (const item of items) {
        const left = (this.#counts.get(item) ?? 1) - 1;
        if (left === 0) this.#counts.delete(item);
        else this.#counts.set(item, left);
      }
    }
  }
}
