/**
 * MessagePack, as far as documents of names, lists, bytes and unsigned numbers need it.
 *
 * @module
 */
import { utf8 } from './scale.ts';

/** Documents are flat. */
const MAX_DEPTH = 16;

/**
 * The value of a whole document. Maps become objects without a prototype.
 *
 * @throws RangeError for anything behind it, a name twice in a map, names that are no text, numbers
 *   that are negative, broken or not exact, extensions, and what is nested too deep
 */
export function decodeMsgpack(bytes: Uint8Array): unknown {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (!reader.isAtEnd()) throw new RangeError('something behind the data');
  return value;
}

/** By the first byte: what follows, and how many bytes its length or number has. */
const SIZED: ReadonlyMap<number, readonly ['bytes' | 'text' | 'number' | 'list' | 'map', number]> =
  new Map([
    [0xc4, ['bytes', 1]],
    [0xc5, ['bytes', 2]],
    [0xc6, ['bytes', 4]],
    [0xcc, ['number', 1]],
    [0xcd, ['number', 2]],
    [0xce, ['number', 4]],
    [0xcf, ['number', 8]],
    [0xd9, ['text', 1]],
    [0xda, ['text', 2]],
    [0xdb, ['text', 4]],
    [0xdc, ['list', 2]],
    [0xdd, ['list', 4]],
    [0xde, ['map', 2]],
    [0xdf, ['map', 4]],
  ] as const);

const CONSTANTS: ReadonlyMap<number, null | boolean> = new Map([
  [0xc0, null],
  [0xc2, false],
  [0xc3, true],
]);

class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  isAtEnd(): boolean {
    return this.#at === this.#bytes.length;
  }

  value(depth: number): unknown {
    if (depth > MAX_DEPTH) throw new RangeError('nested too deep');
    const first = this.#number(1);
    if (first < 0x80) return first;
    if (first < 0x90) return this.#map(first & 0x0f, depth);
    if (first < 0xa0) return this.#list(first & 0x0f, depth);
    if (first < 0xc0) return utf8(this.#take(first & 0x1f));
    const constant = CONSTANTS.get(first);
    if (constant !== undefined) return constant;
    const [kind, size] = SIZED.get(first) ?? unknownType(first);
    const number = this.#number(size);
    if (kind === 'number') return number;
    if (kind === 'bytes') return this.#take(number);
    if (kind === 'text') return utf8(this.#take(number));
    return kind === 'list' ? this.#list(number, depth) : this.#map(number, depth);
  }

  #list(length: number, depth: number): unknown[] {
    this.#expect(length);
    return Array.from({ length }, () => this.value(depth + 1));
  }

  #map(size: number, depth: number): object {
    this.#expect(2 * size);
    const entries = new Map<string, unknown>();
    for (let index = 0; index < size; index++) {
      const name = this.value(depth + 1);
      if (typeof name !== 'string') throw new RangeError('a name that is no text');
      if (entries.has(name)) throw new RangeError('a name twice in a map');
      entries.set(name, this.value(depth + 1));
    }
    return Object.fromEntries(entries);
  }

  #number(size: number): number {
    const number = this.#take(size).reduce((sum, byte) => sum * 256 + byte, 0);
    if (!Number.isSafeInteger(number)) throw new RangeError('a number that is not exact');
    return number;
  }

  #take(size: number): Uint8Array {
    this.#expect(size);
    this.#at += size;
    return this.#bytes.slice(this.#at - size, this.#at);
  }

  /** Every value takes at least one byte: a length is checked against the remaining bytes. */
  #expect(bytes: number): void {
    if (this.#at + bytes > this.#bytes.length) throw new RangeError('the data ends too early');
  }
}

function unknownType(first: number): never {
  throw new RangeError(`a value of the type 0x${first.toString(16)}`);
}
