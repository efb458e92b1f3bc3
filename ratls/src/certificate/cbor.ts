/**
 * The part of CBOR (RFC 8949) that evidence in certificates is made of, in its one deterministic
 * encoding: lengths definite and as short as can be.
 *
 * @module
 */

/** Major types. */
const UNSIGNED = 0;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const TAG = 6;

/** The input is not the expected encoding. */
export class CborError extends Error {
  override readonly name = 'CborError';
  readonly expected: string;
  readonly found: string;

  constructor(expected: string, found: string) {
    super(`expected ${expected}, found ${found}`);
    this.expected = expected;
    this.found = found;
  }
}

export const unsigned = (value: number) => head(UNSIGNED, value);
export const bytes = (value: Uint8Array) => concat(head(BYTES, value.length), value);
export const array = (...items: Uint8Array[]) => concat(head(ARRAY, items.length), ...items);
export const tagged = (tag: number, item: Uint8Array) => concat(head(TAG, tag), item);

/** The caller gives the entries in the order of their encoded keys. */
export function map(...entries: readonly (readonly [key: string, value: Uint8Array])[]) {
  const parts = entries.flatMap(([key, value]) => [text(key), value]);
  return concat(head(MAP, entries.length), ...parts);
}

function text(value: string): Uint8Array {
  const encoded = Buffer.from(value, 'utf8');
  return concat(head(TEXT, encoded.length), encoded);
}

function head(major: number, value: number): Uint8Array {
  const first = major << 5;
  if (value < 24) return Uint8Array.of(first | value);
  if (value < 0x100) return Uint8Array.of(first | 24, value);
  if (value < 0x1_0000) return Uint8Array.of(first | 25, value >> 8, value & 0xff);
  const wide = Buffer.alloc(5, first | 26);
  wide.writeUInt32BE(value, 1);
  return wide;
}

function concat(...parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}

/**
 * Reads one item after another. It never recurses: the caller enters the containers that it
 * expects, so the caller's code bounds the depth.
 */
export class CborReader {
  readonly #bytes: Uint8Array;
  #offset = 0;

  constructor(input: Uint8Array) {
    this.#bytes = input;
  }

  unsigned(): number {
    return this.#head(UNSIGNED, 'an unsigned number');
  }

  bytes(): Uint8Array {
    return this.#take(this.#head(BYTES, 'a byte string'));
  }

  /** A text that has to be this one. */
  key(expected: string): void {
    const found = Buffer.from(this.#take(this.#head(TEXT, `the text "${expected}"`)));
    if (found.equals(Buffer.from(expected, 'utf8'))) return;
    throw new CborError(`the text "${expected}"`, JSON.stringify(found.toString('latin1', 0, 64)));
  }

  /** Begins an array of so many items. */
  array(items: number): void {
    this.#expect(items, this.#head(ARRAY, `an array of ${items}`), 'items');
  }

  /** Begins a map of so many entries. */
  map(entries: number): void {
    this.#expect(entries, this.#head(MAP, `a map of ${entries}`), 'entries');
  }

  tag(tag: number): void {
    this.#expect(tag, this.#head(TAG, `the tag ${tag}`), 'as tag');
  }

  /** @throws {CborError} for trailing bytes */
  end(): void {
    const left = this.#bytes.length - this.#offset;
    if (left > 0) throw new CborError('no more', `${left} trailing bytes`);
  }

  #expect(expected: number, found: number, what: string): void {
    if (found !== expected) throw new CborError(`${expected} ${what}`, `${found}`);
  }

  #head(major: number, expected: string): number {
    const [first = 0] = this.#take(1);
    if (first >> 5 !== major) throw new CborError(expected, `0x${first.toString(16)}`);
    const info = first & 0x1f;
    if (info < 24) return info;
    const size = [1, 2, 4][info - 24];
    if (size === undefined)
      throw new CborError('a definite length below 2^32', `0x${first.toString(16)}`);
    const value = this.#take(size).reduce((number, octet) => number * 256 + octet, 0);
    if (value < (size === 1 ? 24 : 256 ** (size / 2))) {
      throw new CborError('a length in as few bytes as can be', `${size + 1} bytes`);
    }
    return value;
  }

  #take(length: number): Uint8Array {
    const taken = this.#bytes.subarray(this.#offset, this.#offset + length);
    if (taken.length < length) throw new CborError(`${length} more bytes`, `${taken.length}`);
    this.#offset += length;
    return taken;
  }
}
