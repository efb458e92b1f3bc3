/**
 * Reads CBOR strictly: every number in as few bytes as can be, no key twice, text in UTF-8, nothing
 * behind the item, and definite lengths.
 *
 * Keys may come in any order: neither COSE nor EAR asks for one, and other verifiers write others.
 *
 * @module
 */

import { type Label, OtherItem, TaggedItem, type Tree } from './claim-value.ts';
import { MAX_DEPTH, malformed } from './malformed.ts';

const UNSIGNED = 0;
const NEGATIVE = 1;
const BYTES = 2;
const TEXT = 3;
const ARRAY = 4;
const MAP = 5;
const TAG = 6;
const BREAK = 0xff;

/** Additional information of what is not a number of that many bytes. */
const FLOATS: ReadonlyMap<number, number> = new Map([
  [25, 2],
  [26, 4],
  [27, 8],
]);

/**
 * The one item that some bytes are.
 *
 * @throws AttestationError `ear-malformed`
 */
export function decodeCbor(bytes: Uint8Array, where: string): Tree {
  return decoded(new Reader(bytes, where, false));
}

/**
 * The same, where maps and arrays may have an indefinite length. EAT leaves that to profiles (RFC
 * 9711, section 6.3), EAR's say nothing of it, and other verifiers write claims so.
 */
export function decodeClaims(bytes: Uint8Array, where: string): Tree {
  return decoded(new Reader(bytes, where, true));
}

function decoded(reader: Reader): Tree {
  const tree = reader.item(0);
  reader.end();
  return tree;
}

class Reader {
  readonly #bytes: Uint8Array;
  readonly #where: string;
  readonly #indefinite: boolean;
  readonly #text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #at = 0;

  constructor(bytes: Uint8Array, where: string, indefinite: boolean) {
    this.#bytes = bytes;
    this.#where = where;
    this.#indefinite = indefinite;
  }

  end(): void {
    if (this.#at < this.#bytes.length) throw this.#refusal('CBOR without bytes behind it');
  }

  item(depth: number): Tree {
    if (depth > MAX_DEPTH) throw this.#refusal(`CBOR of at most ${MAX_DEPTH} levels`);
    const [first = 0] = this.#take(1);
    const major = first >> 5;
    const info = first & 0x1f;
    if (major > TAG) return this.#simpleOrFloat(info);
    if (info === 31 && this.#indefinite) {
      if (major === ARRAY) return this.#array(Number.POSITIVE_INFINITY, depth);
      if (major === MAP) return this.#map(Number.POSITIVE_INFINITY, depth);
    }
    const value = this.#number(info);
    if (major === UNSIGNED) return numberOf(value);
    if (major === NEGATIVE) return numberOf(-1n - value);
    if (major === TAG) return new TaggedItem(numberOf(value), this.item(depth + 1));
    // Every byte, item and entry takes a byte at least, so nothing longer than the rest is begun.
    const length = Number(value);
    if (length > this.#bytes.length - this.#at) throw this.#refusal('CBOR that is all there');
    // A copy: `slice` of a Buffer would share its memory.
    if (major === BYTES) return new Uint8Array(this.#take(length));
    if (major === TEXT) return this.#utf8(this.#take(length));
    if (major === ARRAY) return this.#array(length, depth);
    return this.#map(length, depth);
  }

  #array(length: number, depth: number): Tree {
    const items: Tree[] = [];
    while (items.length < length && !this.#ended(length)) items.push(this.item(depth + 1));
    return items;
  }

  #map(length: number, depth: number): Tree {
    const entries = new Map<Label, Tree>();
    while (entries.size < length && !this.#ended(length)) {
      const key = this.item(depth + 1);
      if (typeof key !== 'string' && typeof key !== 'number' && typeof key !== 'bigint') {
        throw this.#refusal('CBOR whose keys are text or integers');
      }
      if (entries.has(key)) throw this.#refusal('CBOR without a key twice in one map');
      entries.set(key, this.item(depth + 1));
    }
    return entries;
  }

  /** Whether the end of a container without a length is here; it is read then. */
  #ended(length: number): boolean {
    if (length !== Number.POSITIVE_INFINITY || this.#bytes[this.#at] !== BREAK) return false;
    this.#at += 1;
    return true;
  }

  #simpleOrFloat(info: number): Tree {
    if (info === 20 || info === 21) return info === 21;
    if (info === 22) return null;
    if (info === 23) return new OtherItem('undefined');
    const size = FLOATS.get(info);
    if (size === undefined) throw this.#refusal('CBOR without simple values of no meaning');
    this.#take(size);
    return new OtherItem('a float');
  }

  #number(info: number): bigint {
    if (info < 24) return BigInt(info);
    if (info > 27) throw this.#refusal('CBOR of definite lengths');
    const bytes = this.#take(2 ** (info - 24));
    const value = bytes.reduce((number, byte) => (number << 8n) | BigInt(byte), 0n);
    const least = info === 24 ? 24n : 1n << BigInt(4 * bytes.length);
    if (value < least) throw this.#refusal('CBOR with numbers in as few bytes as can be');
    return value;
  }

  #utf8(bytes: Uint8Array): string {
    try {
      return this.#text.decode(bytes);
    } catch (cause) {
      throw malformed(this.#where, 'CBOR whose text is UTF-8', cause);
    }
  }

  #take(length: number): Uint8Array {
    const taken = this.#bytes.subarray(this.#at, this.#at + length);
    if (taken.length < length) throw this.#refusal('CBOR that is all there');
    this.#at += length;
    return taken;
  }

  #refusal(expected: string): Error {
    return malformed(this.#where, expected);
  }
}

/** One JavaScript value for one integer, so that maps find it. */
function numberOf(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
