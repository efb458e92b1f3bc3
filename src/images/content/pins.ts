/** Counts the users of items that a sweep would otherwise delete. */
export class Pins<T> {
  readonly #counts = new Map<T, number>();

  get all(): Iterable<T> {
    return this.#counts.keys();
  }

  /** Holds the items until the returned function is called. The caller calls it exactly once. */
  take(items: readonly T[]): () => void {
    for (const item of items) this.#counts.set(item, (this.#counts.get(item) ?? 0) + 1);
    return () => {
      for (const item of items) {
        const left = (this.#counts.get(item) ?? 1) - 1;
        if (left === 0) this.#counts.delete(item);
        else this.#counts.set(item, left);
      }
    };
  }

  /** Holds the items while `task` runs. */
  async hold<R>(items: readonly T[], task: () => Promise<R>): Promise<R> {
    const release = this.take(items);
    try {
      return await task();
    } finally {
      release();
    }
  }
}
