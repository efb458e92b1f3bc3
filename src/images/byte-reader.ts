/**
 * Pulls exact numbers of bytes out of a stream of chunks.
 *
 * @module
 */
import { A3sError } from '../errors.ts';

const EMPTY = Buffer.alloc(0);

export class ByteReader {
  readonly #source: AsyncIterator<Uint8Array>;
  /** What the bytes are, for messages: `archive`, `layer sha256:…`. */
  readonly what: string;
  #chunk: Buffer = EMPTY;
  #position = 0;

  constructor(source: AsyncIterable<Uint8Array>, what: string) {
    this.#source = source[Symbol.asyncIterator]();
    this.what = what;
  }

  /** Offset of the next byte. */
  get position(): number {
    return this.#position;
  }

  /** Exactly `length` bytes, or undefined when the stream has ended before the first. */
  async read(length: number): Promise<Buffer | undefined> {
    if (this.#chunk.length === 0 && !(await this.#fill())) return undefined;
    if (this.#chunk.length >= length) return this.#take(length);
    const parts: Buffer[] = [];
    for (let missing = length; missing > 0; ) {
      const part = await this.chunk(missing);
      if (part === undefined) throw this.truncated();
      parts.push(part);
      missing -= part.length;
    }
    return Buffer.concat(parts, length);
  }

  /** The next bytes, at least one and at most `maximum`; undefined at the end. */
  async chunk(maximum: number): Promise<Buffer | undefined> {
    if (this.#chunk.length === 0 && !(await this.#fill())) return undefined;
    return this.#take(Math.min(maximum, this.#chunk.length));
  }

  async skip(length: number): Promise<void> {
    for (let missing = length; missing > 0; ) {
      const part = await this.chunk(missing);
      if (part === undefined) throw this.truncated();
      missing -= part.length;
    }
  }

  /** Lets the source release what it holds. */
  async close(): Promise<void> {
    this.#chunk = EMPTY;
    await this.#source.return?.();
  }

  truncated(): A3sError {
    return new A3sError('invalid-image', `Cannot read ${this.what}: it ends too early`, {
      remedy: 'The file is incomplete: copy or save it again.',
    });
  }

  #take(length: number): Buffer {
    const taken = this.#chunk.subarray(0, length);
    this.#chunk = this.#chunk.subarray(length);
    this.#position += length;
    return taken;
  }

  async #fill(): Promise<boolean> {
    for (;;) {
      const next = await this.#source.next();
      if (next.done === true) return false;
      if (next.value.length === 0) continue;
      const { buffer, byteOffset, byteLength } = next.value;
      this.#chunk = Buffer.from(buffer, byteOffset, byteLength);
      return true;
    }
  }
}
