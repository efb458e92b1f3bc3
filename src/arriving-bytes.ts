/**
 * Takes the bytes of a connection by number, as they arrive.
 *
 * @module
 */

/** The connection ended in the middle of what was asked for. */
export class EndedEarly extends Error {}

export class ArrivingBytes {
  readonly #chunks: AsyncIterator<Uint8Array>;
  #rest: Buffer = Buffer.alloc(0);

  constructor(input: AsyncIterable<Uint8Array>) {
    this.#chunks = input[Symbol.asyncIterator]();
  }

  /**
   * Collects the bytes in memory: the caller bounds them.
   *
   * @throws EndedEarly
   */
  async exactly(length: number): Promise<Buffer> {
    while (this.#rest.length < length) await this.#more();
    return this.#cut(length);
  }

  /**
   * The next bytes, at least one.
   *
   * @throws EndedEarly
   */
  async upTo(length: number): Promise<Buffer> {
    while (this.#rest.length === 0) await this.#more();
    return this.#cut(length);
  }

  #cut(length: number): Buffer {
    const bytes = this.#rest.subarray(0, length);
    this.#rest = this.#rest.subarray(bytes.length);
    return bytes;
  }

  async #more(): Promise<void> {
    const { done, value } = await this.#chunks.next();
    if (done === true) throw new EndedEarly();
    this.#rest = Buffer.concat([this.#rest, value]);
  }
}
