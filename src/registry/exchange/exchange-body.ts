/**
 * Reads the body of an answer, so that neither silence nor a few bytes at a time delay the reader
 * for ever.
 *
 * @module
 */

import { Cut, type RetryLimits, Stall } from './attempts.ts';
import type { RepositoryContext } from './repository-context.ts';

/** Reads a body and enforces a minimum rate. A reader that stops ends the exchange. */
export class BodyReader implements AsyncIterator<Uint8Array, undefined> {
  readonly #iterator: AsyncIterator<Uint8Array>;
  readonly #context: RepositoryContext;
  readonly #ended: AbortController;
  readonly #what: string;
  readonly #pace: Pace;
  #done = false;

  constructor(
    body: AsyncIterable<Uint8Array>,
    options: {
      readonly context: RepositoryContext;
      readonly ended: AbortController;
      readonly what: string;
    },
  ) {
    this.#iterator = body[Symbol.asyncIterator]();
    this.#context = options.context;
    this.#ended = options.ended;
    this.#what = options.what;
    this.#pace = new Pace(options.context.retryLimits, options.ended);
  }

  async next(): Promise<IteratorResult<Uint8Array, undefined>> {
    if (this.#done) return { done: true, value: undefined };
    const next = await this.#pace.measure(this.#iterator.next()).catch((error: unknown) => {
      this.#done = true;
      this.#context.signal?.throwIfAborted();
      if (this.#ended.signal.aborted) throw new Stall(this.#what, this.#pace.verdict, error);
      throw new Cut(this.#what, 'the connection was cut', error);
    });
    if (next.done === true) {
      this.#done = true;
      return { done: true, value: undefined };
    }
    this.#pace.count(next.value.length);
    return { done: false, value: next.value };
  }

  async return(): Promise<IteratorResult<Uint8Array, undefined>> {
    await this.drop();
    return { done: true, value: undefined };
  }

  async drop(): Promise<void> {
    if (this.#done) return;
    this.#done = true;
    // A generator that was never started does not clean up when it is returned; the signal always
    // does.
    this.#ended.abort();
    await this.#iterator.return?.();
  }
}

/** Time that the reader does not spend waiting does not count against the registry. */
class Pace {
  readonly #retryLimits: RetryLimits;
  readonly #ended: AbortController;
  #waited = 0;
  #came = 0;

  constructor(retryLimits: RetryLimits, ended: AbortController) {
    this.#retryLimits = retryLimits;
    this.#ended = ended;
  }

  get verdict(): string {
    const { stallBytes, stallMs } = this.#retryLimits;
    return `fewer than ${stallBytes} bytes came in ${stallMs / 1000} seconds`;
  }

  async measure<T>(waiting: Promise<T>): Promise<T> {
    const start = performance.now();
    const left = Math.max(this.#retryLimits.stallMs - this.#waited, 1);
    const timer = setTimeout(() => this.#ended.abort(), left);
    try {
      return await waiting;
    } finally {
      clearTimeout(timer);
      this.#waited += performance.now() - start;
    }
  }

  count(bytes: number): void {
    this.#came += bytes;
    if (this.#came < this.#retryLimits.stallBytes) return;
    this.#came = 0;
    this.#waited = 0;
  }
}
