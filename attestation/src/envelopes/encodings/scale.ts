/**
 * SCALE, the encoding of Substrate, as far as dstack's attestations use it.
 *
 * @module
 */

/** Reads bytes from front to back. */
export class ScaleReader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  /** So many bytes. @throws RangeError where there are fewer */
  take(size: number): Uint8Array {
    const end = this.#at + size;
    if (end > this.#bytes.length) throw new RangeError('the data ends too early');
    const taken = this.#bytes.slice(this.#at, end);
    this.#at = end;
    return taken;
  }

  /** The number of a variant. */
  variant(): number {
    return Number(this.take(1)[0]);
  }

  /** A compact number below 2^30, in its shortest form. @throws RangeError for any other */
  compact(): number {
    const [first = 0] = this.take(1);
    const mode = first & 3;
    if (mode === 0) return first >> 2;
    if (mode === 3) throw new RangeError('a length that no attestation has');
    const rest = this.take(mode === 1 ? 1 : 3);
    const value = rest.reduce((sum, byte, index) => sum + byte * 2 ** (8 * (index + 1)), first);
    const number = Math.floor(value / 4);
    if (number < (mode === 1 ? 1 << 6 : 1 << 14)) throw new RangeError('a length that is too long');
    return number;
  }

  /** A vector of bytes. */
  vector(): Uint8Array {
    return this.take(this.compact());
  }

  /** A string. @throws RangeError for what is not UTF-8 */
  text(): string {
    return utf8(this.vector());
  }

  /** @throws RangeError for anything that is left */
  end(): void {
    if (this.#at !== this.#bytes.length) throw new RangeError('something behind the data');
  }
}

/** @throws RangeError for what is not UTF-8 */
export function utf8(bytes: Uint8Array): string {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new RangeError('text that is not UTF-8', { cause });
  }
}
