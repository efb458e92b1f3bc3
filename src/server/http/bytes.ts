/**
 * Splits a socket's incoming bytes into a body of known length and the rest.
 *
 * @module
 */
import type { Readable } from 'node:stream';

export class SocketBytes {
  readonly #chunks: AsyncIterator<Buffer>;
  #rest: Buffer;

  /** @param head the bytes that arrived after the request's headers */
  constructor(socket: Readable, head: Buffer) {
    this.#chunks = socket.iterator({ destroyOnReturn: false }) as AsyncIterator<Buffer>;
    this.#rest = head;
  }

  /**
   * The next `length` bytes; fewer where the client ends before. This must be iterated before
   * anything else.
   */
  async *take(length: number): AsyncGenerator<Uint8Array> {
    let left = length;
    while (left > 0) {
      const chunk = await this.#next();
      if (chunk === undefined) return;
      const part = chunk.subarray(0, left);
      this.#rest = chunk.subarray(part.length);
      left -= part.length;
      yield part;
    }
  }

  /** All following bytes. Leaving the loop early keeps the rest for the next reader. */
  rest(): AsyncIterable<Uint8Array> {
    return {
      [Symbol.asyncIterator]: () => ({
        next: async () => {
          const value = await this.#next();
          return value === undefined ? { done: true, value } : { done: false, value };
        },
      }),
    };
  }

  async #next(): Promise<Buffer | undefined> {
    if (this.#rest.length > 0) {
      const chunk = this.#rest;
      this.#rest = Buffer.alloc(0);
      return chunk;
    }
    const { done, value } = await this.#chunks.next();
    return done === true ? undefined : value;
  }
}
