/**
 * What builders answer to `Control/ListWorkers`, which a build of Docker's buildx calls four times.
 *
 * BuildKit finds out for each call which processors' programs run, by starting one for each; that
 * takes a third to a whole second where the builder's processor is emulated. The answer does not
 * change while the builder is of one image and has one cache disk.
 *
 * @module
 */
import type { Builder } from '../builder.ts';
import { GRPC } from '../wire/grpc.ts';
import type { WholeAnswer } from './grpc-answers.ts';

/** There are eight builders at once. */
const MAX_KNOWN = 16;
const MAX_BYTES = 64 * 1024;

export class WorkerLists {
  readonly #known = new Map<string, WholeAnswer>();

  /** @param message the request: with a filter, it is another question */
  of(builder: Pick<Builder, 'image' | 'cacheDisk'>, message: Buffer): WholeAnswer | undefined {
    return message.length === 0 ? this.#known.get(keyOf(builder)) : undefined;
  }

  /** Keeps an answer that is no error. */
  keep(builder: Pick<Builder, 'image' | 'cacheDisk'>, message: Buffer, answer: WholeAnswer): void {
    const isAnswer = answer.trailers?.['grpc-status'] === GRPC.ok;
    if (message.length > 0 || !isAnswer || answer.body.length > MAX_BYTES) return;
    this.#known.set(keyOf(builder), answer);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MAX_KNOWN && oldest !== undefined) this.#known.delete(oldest);
  }
}

function keyOf({ image, cacheDisk }: Pick<Builder, 'image' | 'cacheDisk'>): string {
  return `${image} ${cacheDisk}`;
}
