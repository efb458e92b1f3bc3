/**
 * The queue of template builds: one runs at a time, and no key twice.
 *
 * @module
 */
export interface Job<T> {
  readonly key: string;
  readonly cpus: number;
  /** Milliseconds since 1970. */
  readonly since: number;
  readonly done: Promise<T>;
  /** Set when its turn has come. */
  started: boolean;
}

export class BuildQueue<T> {
  readonly #jobs = new Map<string, Job<T>>();
  #tail: Promise<unknown> = Promise.resolve();

  list(): readonly Job<T>[] {
    return [...this.#jobs.values()];
  }

  get(key: string): Job<T> | undefined {
    return this.#jobs.get(key);
  }

  /** Runs `work` after all earlier jobs. Returns the existing job where this key has one. */
  begin(key: string, about: Pick<Job<T>, 'cpus' | 'since'>, work: () => Promise<T>): Job<T> {
    const there = this.#jobs.get(key);
    if (there !== undefined) return there;
    const done = this.#tail.then(async () => {
      job.started = true;
      try {
        return await work();
      } finally {
        this.#jobs.delete(key);
      }
    });
    const job: Job<T> = { key, ...about, done, started: false };
    this.#jobs.set(key, job);
    this.#tail = done.catch(() => undefined);
    return job;
  }

  /** Resolves when nothing is built and nothing waits. */
  async idle(): Promise<void> {
    while (this.#jobs.size > 0) await this.#tail;
  }
}
