/**
 * Decompression of DEFLATE (RFC 1951), bounded by what may come out of it.
 *
 * Synchronous and without Node, which the streams of browsers are not.
 *
 * @module
 */

const MAX_BITS = 15;
const END_OF_BLOCK = 256;
const LITERALS = 286;
const DISTANCES = 30;
/** In this order the lengths of the code of code lengths come. */
const LENGTH_ORDER = [16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15];
const [REPEAT_LAST, REPEAT_ZERO] = [16, 17];

/**
 * The extra bits of the lengths from 257 on, and of the distances; and what the least of each is.
 */
const LENGTH_BITS = [0, 0, 0, 0, 0, 0, 0, 0, ...[1, 2, 3, 4, 5].flatMap(four), 0];
const LENGTH_BASES = [...bases(LENGTH_BITS.slice(0, 28), 3), 258];
const DISTANCE_BITS = [0, 0, ...Array.from({ length: 28 }, (_, index) => index >> 1)];
const DISTANCE_BASES = bases(DISTANCE_BITS, 1);

function four(bits: number): number[] {
  return [bits, bits, bits, bits];
}

function bases(bits: readonly number[], first: number): number[] {
  let next = first;
  return bits.map((count) => {
    const base = next;
    next += 1 << count;
    return base;
  });
}

/** What was read, and where it ended. */
export interface Inflated {
  readonly bytes: Uint8Array;
  /** Index behind the last byte of the compressed data. */
  readonly end: number;
}

/**
 * Decompresses what begins at `start`.
 *
 * @throws RangeError for anything but DEFLATE, for more than `maximum` bytes, and for data that
 * ends too early
 */
export function inflate(bytes: Uint8Array, start: number, maximum: number): Inflated {
  const input = new BitReader(bytes, start);
  const output = new Output(maximum);
  let last = false;
  while (!last) {
    last = input.take(1) === 1;
    const type = input.take(2);
    if (type === 0) stored(input, output);
    else if (type === 1) compressed(input, output, FIXED);
    else if (type === 2) compressed(input, output, dynamicCodes(input));
    else throw new RangeError('a block of an unknown type');
  }
  return { bytes: output.bytes(), end: input.end() };
}

class BitReader {
  readonly #bytes: Uint8Array;
  #at: number;
  #held = 0;
  #count = 0;

  constructor(bytes: Uint8Array, start: number) {
    this.#bytes = bytes;
    this.#at = start;
  }

  /** At most 16 bits, the lowest first. */
  take(bits: number): number {
    while (this.#count < bits) {
      this.#held |= this.byte() << this.#count;
      this.#count += 8;
    }
    const value = this.#held & ((1 << bits) - 1);
    this.#held >>>= bits;
    this.#count -= bits;
    return value;
  }

  /** A whole byte; only where none was begun. */
  byte(): number {
    const byte = this.#bytes[this.#at];
    if (byte === undefined) throw new RangeError('the data ends too early');
    this.#at += 1;
    return byte;
  }

  /** Leaves the rest of a byte that was begun. */
  end(): number {
    this.#held = 0;
    this.#count = 0;
    return this.#at;
  }
}

class Output {
  readonly #buffer: Uint8Array;
  #length = 0;

  constructor(maximum: number) {
    this.#buffer = new Uint8Array(maximum);
  }

  push(byte: number): void {
    if (this.#length === this.#buffer.length) throw new RangeError('more data than there may be');
    this.#buffer[this.#length] = byte;
    this.#length += 1;
  }

  /** Once more what stands so far back, which may reach into what it writes. */
  repeat(distance: number, length: number): void {
    if (distance > this.#length) throw new RangeError('a distance to before the data');
    const bytes = this.#buffer;
    for (let left = length; left > 0; left--) this.push(Number(bytes[this.#length - distance]));
  }

  bytes(): Uint8Array {
    return this.#buffer.slice(0, this.#length);
  }
}

function stored(input: BitReader, output: Output): void {
  input.end();
  const length = input.take(16);
  if ((length ^ input.take(16)) !== 0xffff) throw new RangeError('a block of another length');
  for (let left = length; left > 0; left--) output.push(input.byte());
}

/** A canonical Huffman code. */
interface Code {
  /** How many symbols have a code of each length. */
  readonly counts: readonly number[];
  /** By length, and then by value. */
  readonly symbols: readonly number[];
}

interface Codes {
  readonly literals: Code;
  readonly distances: Code;
}

/** @param incomplete a code may leave combinations over: a distance that stands alone does */
function codeOf(lengths: readonly number[], incomplete = false): Code {
  const counts = new Array<number>(MAX_BITS + 1).fill(0);
  for (const length of lengths) counts[length] = Number(counts[length]) + 1;
  counts[0] = 0;
  let left = 1;
  for (const count of counts.slice(1)) {
    left = left * 2 - count;
    if (left < 0) throw new RangeError('a code with too many symbols');
  }
  const symbols = counts.flatMap((count, length) =>
    count === 0 ? [] : [...lengths.keys()].filter((symbol) => lengths[symbol] === length),
  );
  const alone = incomplete && symbols.length <= 1;
  if (left > 0 && !alone) throw new RangeError('a code with too few symbols');
  return { counts, symbols };
}

const FIXED: Codes = {
  literals: codeOf([
    ...new Array<number>(144).fill(8),
    ...new Array<number>(112).fill(9),
    ...new Array<number>(24).fill(7),
    ...new Array<number>(8).fill(8),
  ]),
  distances: codeOf(new Array<number>(32).fill(5)),
};

function symbolOf(input: BitReader, { counts, symbols }: Code): number {
  let [code, first, index] = [0, 0, 0];
  for (const count of counts.slice(1)) {
    code |= input.take(1);
    const symbol = code - first < count ? symbols[index + code - first] : undefined;
    if (symbol !== undefined) return symbol;
    index += count;
    first = (first + count) << 1;
    code <<= 1;
  }
  throw new RangeError('a code that stands for nothing');
}

function dynamicCodes(input: BitReader): Codes {
  const literals = input.take(5) + 257;
  const distances = input.take(5) + 1;
  if (literals > LITERALS || distances > DISTANCES) throw new RangeError('too many symbols');
  const lengthLengths = new Array<number>(LENGTH_ORDER.length).fill(0);
  const given = input.take(4) + 4;
  for (const symbol of LENGTH_ORDER.slice(0, given)) lengthLengths[symbol] = input.take(3);
  const lengths = codeLengths(input, codeOf(lengthLengths), literals + distances);
  if (lengths[END_OF_BLOCK] === 0) throw new RangeError('a block without an end');
  return {
    literals: codeOf(lengths.slice(0, literals)),
    distances: codeOf(lengths.slice(literals), true),
  };
}

function codeLengths(input: BitReader, code: Code, wanted: number): number[] {
  const lengths: number[] = [];
  while (lengths.length < wanted) {
    const symbol = symbolOf(input, code);
    if (symbol < REPEAT_LAST) {
      lengths.push(symbol);
      continue;
    }
    const last = symbol === REPEAT_LAST ? lengths.at(-1) : 0;
    if (last === undefined) throw new RangeError('nothing that could be repeated');
    lengths.push(...new Array<number>(repetitions(input, symbol)).fill(last));
  }
  if (lengths.length > wanted) throw new RangeError('too many code lengths');
  return lengths;
}

function repetitions(input: BitReader, symbol: number): number {
  if (symbol === REPEAT_LAST) return 3 + input.take(2);
  return symbol === REPEAT_ZERO ? 3 + input.take(3) : 11 + input.take(7);
}

function compressed(input: BitReader, output: Output, { literals, distances }: Codes): void {
  for (;;) {
    const symbol = symbolOf(input, literals);
    if (symbol === END_OF_BLOCK) return;
    if (symbol < END_OF_BLOCK) output.push(symbol);
    else {
      const length = numberOf(input, symbol - END_OF_BLOCK - 1, LENGTH_BASES, LENGTH_BITS);
      const distance = symbolOf(input, distances);
      output.repeat(numberOf(input, distance, DISTANCE_BASES, DISTANCE_BITS), length);
    }
  }
}

function numberOf(
  input: BitReader,
  symbol: number,
  least: readonly number[],
  bits: readonly number[],
): number {
  const [base, extra] = [least[symbol], bits[symbol]];
  if (base === undefined || extra === undefined) throw new RangeError('a symbol without a meaning');
  return base + input.take(extra);
}
