/**
 * Reads exact numbers of bytes from a stream.
 *
 * @module
 */

/** Throws `RangeError` where the stream has less than was asked for. */
export class ExactReader {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(stream: AsyncIterable<Uint8Array>) {
    this.#chunks = stream[Symbol.asyncIterator]();
  }

  /** At least one byte, at most so many, as they come. */
  async some(most: number): Promise<Buffer> {
    while (this.#rest.length === 0) {
      if (!(await this.#more())) throw new RangeError('it ends too early');
    }
    const bytes = this.#rest.subarray(0, most);
    this.#rest = this.#rest.subarray(bytes.length);
    return bytes;
  }

  /** All in memory: for few bytes. */
  async exactly(count: number): Promise<Buffer> {
    const parts: Buffer[] = [];
    for (let left = count; left > 0; left -= parts.at(-1)?.length ?? 0) {
      parts.push(await this.some(left));
    }
    return Buffer.concat(parts);
  }

  async zeros(count: number): Promise<void> {
    const bytes = await this.exactly(count);
    if (bytes.some((byte) => byte !== 0)) throw new RangeError('its padding is not zero');
  }

  /** Checks that the stream has no further bytes. */
  async finish(): Promise<void> {
    while (this.#rest.length === 0) {
      if (!(await this.#more())) return;
    }
    throw new RangeError('it has bytes behind its end');
  }

  /** Releases the stream. */
  async close(): Promise<void> {
    await this.#chunks.return?.();
  }

  async #more(): Promise<boolean> {
    const next = await this.#chunks.next();
    if (next.done === true) return false;
    this.#rest = Buffer.from(next.value);
    return true;
  }
}
