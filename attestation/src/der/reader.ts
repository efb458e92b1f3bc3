/**
 * A strict reader of DER (X.690, 10 and 11): one level, one value after another.
 *
 * It never descends by itself: a parser enters what it expects, so the parser's code bounds the
 * depth for any input. Values are views; each octet is read a fixed number of times.
 *
 * @module
 */
import { DerError } from './error.ts';
import { Tag, tagName } from './tags.ts';

const LONG_FORM = 0x80;
const MAX_LENGTH_OCTETS = 3;

/** One value: identifier, length and content octets. */
export interface DerValue {
  readonly tag: number;
  readonly content: Uint8Array;
  /** All three of them. */
  readonly encoded: Uint8Array;
}

/** Reads the values of one level in their order. */
export class DerReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** Tag of the next value; undefined at the end. */
  get nextTag(): number | undefined {
    return this.#bytes[this.#offset];
  }

  /**
   * The next value, which must have that tag.
   *
   * @throws {DerError} for another tag, a length that is indefinite, not minimal, above 16 MiB or
   *   beyond the end.
   */
  take(tag: number): DerValue {
    const start = this.#offset;
    const found = this.#octet();
    if (found !== tag) throw this.#refuse(tagName(tag), tagName(found), start);
    const length = this.#length();
    const content = this.#bytes.subarray(this.#offset, this.#offset + length);
    if (content.length !== length) {
      throw this.#refuse(`${length} octets of ${tagName(tag)}`, `${content.length}`, start);
    }
    this.#offset += length;
    return { tag, content, encoded: this.#bytes.subarray(start, this.#offset) };
  }

  /** Reader of the values inside the next one; throws as {@link take}. */
  enter(tag: number = Tag.SEQUENCE): DerReader {
    return new DerReader(this.take(tag).content);
  }

  /** @throws {DerError} where anything is left. */
  end(): void {
    if (this.#offset === this.#bytes.length) return;
    const left = this.#bytes.length - this.#offset;
    throw this.#refuse('no more values', `${left} trailing octets`, this.#offset);
  }

  #octet(): number {
    const octet = this.#bytes[this.#offset];
    if (octet === undefined) throw this.#refuse('another octet', 'the end', this.#offset);
    this.#offset += 1;
    return octet;
  }

  #length(): number {
    const start = this.#offset;
    const first = this.#octet();
    if (first < LONG_FORM) return first;
    const count = first - LONG_FORM;
    if (count === 0 || count > MAX_LENGTH_OCTETS) {
      throw this.#refuse('a definite length below 16 MiB', `0x${first.toString(16)}`, start);
    }
    let length = 0;
    for (let index = 0; index < count; index += 1) length = length * 256 + this.#octet();
    if (length < Math.max(LONG_FORM, 256 ** (count - 1))) {
      throw this.#refuse('a length in as few octets as can be', `${count + 1} octets`, start);
    }
    return length;
  }

  #refuse(expected: string, found: string, offset: number): DerError {
    // The outermost reader's bytes are a copy that starts at 0 of its buffer: see openDer.
    return new DerError(expected, `${found} at byte ${this.#bytes.byteOffset + offset}`);
  }
}

/**
 * Reader of a whole input. It copies the input, so that the caller cannot change it meanwhile.
 *
 * @throws {TypeError} for anything but bytes.
 * @throws {DerError} for more than `maximum` bytes, before any of them is looked at.
 */
export function openDer(bytes: Uint8Array, maximum: number): DerReader {
  if (!(bytes instanceof Uint8Array)) throw new TypeError('DER must be a Uint8Array');
  if (bytes.length > maximum) {
    throw new DerError(`at most ${maximum} bytes`, `${bytes.length} bytes`);
  }
  return new DerReader(Uint8Array.from(bytes));
}
