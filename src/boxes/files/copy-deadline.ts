/**
 * Ends copies of files that do not move, or move too slowly.
 *
 * A time limit for the next byte alone is none: who sends one byte a minute holds a copy, and with
 * it a lock or a paused box, for ever. So there is an amount of time that waiting takes away and
 * bytes give back.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

export interface CopyTiming {
  /** How long an archive may stand still, after it has moved at the least rate or faster. */
  readonly idleMs: number;
  /**
   * Bytes in a second. An archive that moves more slowly uses up the time that it may stand still.
   */
  readonly leastRate: number;
  /** How long the guest may take to answer before an archive and after it. */
  readonly answerMs: number;
}

export const COPY_TIMING: CopyTiming = { idleMs: 60_000, leastRate: 4096, answerMs: 300_000 };

export class CopyDeadline {
  readonly #timing: CopyTiming;
  readonly #onLate: (error: A3sError) => void;
  /** Name of the box. */
  readonly #name: string;
  #timer: NodeJS.Timeout | undefined;
  #ended = false;
  /** Why it was ended. */
  #error: A3sError | undefined;

  /** The guest may take its time for an answer from now on. */
  constructor(timing: CopyTiming, name: string, onLate: (error: A3sError) => void) {
    this.#timing = timing;
    this.#name = name;
    this.#onLate = onLate;
    this.#allow(timing.answerMs);
  }

  /**
   * The archive, in either direction.
   *
   * @param counted who is waited for: the one that the archive comes from, and the one that reads
   * it. The other may take any time.
   */
  async *paced(
    archive: AsyncIterable<Uint8Array>,
    counted: { readonly source: boolean; readonly reader: boolean },
  ): AsyncGenerator<Uint8Array, void, void> {
    const { idleMs, leastRate, answerMs } = this.#timing;
    let left = idleMs;
    let since = 0;
    const wait = (counts: boolean): void => {
      since = performance.now();
      if (counts) this.#allow(left);
      else clearTimeout(this.#timer);
    };
    const waited = (counts: boolean, bytes = 0): void => {
      if (counts) left -= performance.now() - since;
      left = Math.min(idleMs, left + (bytes * 1000) / leastRate);
    };
    wait(counted.source);
    try {
      for await (const chunk of archive) {
        waited(counted.source, chunk.byteLength);
        wait(counted.reader);
        yield chunk;
        waited(counted.reader);
        wait(counted.source);
      }
    } catch (error) {
      // The archive broke off, since it was ended here.
      throw this.#error ?? error;
    }
    this.#allow(answerMs);
  }

  /** The copy has ended. */
  end(): void {
    this.#ended = true;
    clearTimeout(this.#timer);
  }

  #allow(milliseconds: number): void {
    clearTimeout(this.#timer);
    if (this.#ended) return;
    this.#timer = setTimeout(() => this.#late(), Math.max(0, milliseconds));
  }

  #late(): void {
    this.end();
    const { idleMs, leastRate } = this.#timing;
    const error = new A3sError(
      'agent-timeout',
      `The copy of files of ${this.#name} was ended: nothing of it moved for ${idleMs / 1000} s, or less than ${leastRate} bytes in a second`,
      { remedy: 'Try again when the box and the host have less to do.' },
    );
    this.#error = error;
    this.#onLate(error);
  }
}
