import { constants, deflateRawSync, gzipSync } from 'node:zlib';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { gunzip } from './gunzip.ts';
import { inflate } from './inflate.ts';

const bytes = (...values: number[]) => Uint8Array.from(values);
const text = (of: string) => new TextEncoder().encode(of);

/** Packs bits in DEFLATE order: the first bit is the lowest of its byte. */
function bits(...parts: string[]): Uint8Array {
  const all = parts.join('').padEnd(Math.ceil(parts.join('').length / 8) * 8, '0');
  const octets = all.match(/.{8}/g) ?? [];
  return Uint8Array.from(octets, (octet) => Number.parseInt([...octet].reverse().join(''), 2));
}

/** The `size` bits of a number, lowest first. */
function number(value: number, size: number): string {
  return [...value.toString(2).padStart(size, '0')].reverse().join('');
}

const FINAL_FIXED = '110';
const FINAL_DYNAMIC = '101';

/** The head of a dynamic block: the symbol counts, then the lengths of the code length code. */
function head(literals: number, distances: number, lengths: readonly number[]): string {
  const counts = [
    number(literals - 257, 5),
    number(distances - 1, 5),
    number(lengths.length - 4, 4),
  ];
  return FINAL_DYNAMIC + counts.join('') + lengths.map((each) => number(each, 3)).join('');
}

describe('inflate', () => {
  const SAMPLES = {
    nothing: text(''),
    text: text('to be or not to be, that is the question; to be or not to be'),
    zeros: new Uint8Array(100_000),
    everything: Uint8Array.from({ length: 3000 }, (_, index) => (index * index) >> 3),
  };

  for (const [name, sample] of Object.entries(SAMPLES)) {
    it(`inflates ${name}, however it was compressed`, () => {
      const strategies = [
        constants.Z_DEFAULT_STRATEGY,
        constants.Z_FIXED,
        constants.Z_HUFFMAN_ONLY,
      ];
      for (const level of [0, 1, 6, 9]) {
        for (const strategy of strategies) {
          const compressed = Uint8Array.from(deflateRawSync(sample, { level, strategy }));
          const { bytes: found, end } = inflate(compressed, 0, sample.length);
          expect(Buffer.from(found).equals(sample)).toBe(true);
          expect(end).toBe(compressed.length);
        }
      }
    });
  }

  it('inflates from a given offset, and returns where the data ends', () => {
    const compressed = deflateRawSync(text('text'));
    const framed = bytes(1, 2, 3, ...compressed, 4, 5);
    expect(inflate(framed, 3, 4)).toEqual({ bytes: text('text'), end: 3 + compressed.length });
  });

  it.each<[string, Uint8Array, string]>([
    ['nothing at all', bytes(), 'ends too early'],
    ['a block of type 3', bits('111'), 'unknown type'],
    ['a stored block whose two lengths differ', bytes(1, 2, 0, 0, 0), 'another length'],
    ['a stored block that ends too early', bytes(1, 2, 0, 0xfd, 0xff, 7), 'ends too early'],
    // Code 0000001 is the length 3; the distance 1 follows.
    ['a distance to before the data', bits(FINAL_FIXED, '0000001', '00000'), 'before the data'],
    ['an undefined length code', bits(FINAL_FIXED, '11000110'), 'without a meaning'],
    [
      'an undefined distance code',
      bits(FINAL_FIXED, '00110000', '0000001', '11110'),
      'without a meaning',
    ],
    ['too many literals', bits(head(287, 1, [0, 0, 0, 0])), 'too many symbols'],
    ['too many distances', bits(head(257, 31, [0, 0, 0, 0])), 'too many symbols'],
    ['an incomplete code of lengths', bits(head(257, 1, [1, 0, 0, 0])), 'too few symbols'],
    ['an oversubscribed code of lengths', bits(head(257, 1, [1, 1, 1, 0])), 'too many symbols'],
    [
      'a repetition without a previous length',
      bits(head(257, 1, [1, 1, 0, 0]), '0'),
      'be repeated',
    ],
    [
      'more code lengths than symbols',
      bits(head(257, 1, [0, 1, 1, 0]), `1${'1'.repeat(7)}`, `1${'1'.repeat(7)}`),
      'too many code lengths',
    ],
    [
      'a block without an end',
      // Two repetitions give 258 symbols the length 0: 138 and 120 of them.
      bits(head(257, 1, [0, 1, 1, 0]), `1${'1'.repeat(7)}`, `1${number(120 - 11, 7)}`),
      'without an end',
    ],
  ])('refuses to inflate: %s', (_, data, message) => {
    expect(() => inflate(data, 0, 1000)).toThrow(RangeError);
    expect(() => inflate(data, 0, 1000)).toThrow(message);
  });

  it('reads a single distance code of one bit, and refuses the unused one', () => {
    // Code lengths: 2, 2 and 1 bits for the symbols 97, 256 and 257; 1 bit for the only distance.
    const lengths = new Array<number>(258).fill(0);
    lengths[97] = 2;
    lengths[256] = 2;
    lengths[257] = 1;
    // Code lengths 0, 1, 2 and 18 get 2 bits each: canonical codes 00, 01, 10 and 11.
    const order = [0, 0, 2, 2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 2];
    const zeros = (count: number) => `11${number(count - 11, 7)}`;
    const two = '10';
    const one = '01';
    const codes = [zeros(97), two, zeros(138), zeros(20), two, one, one].join('');
    // The codes: 0 for symbol 257, 10 for 97, 11 for 256; 0 for the distance.
    const start = head(258, 1, order) + codes;
    const repeated = bits(start, '10', '0', '0', '11');
    expect(inflate(repeated, 0, 10).bytes).toEqual(text('aaaa'));
    const other = bits(start, '10', '0', '1', '1111111111111111');
    expect(() => inflate(other, 0, 10)).toThrow('stands for nothing');
  });

  it('inflates no byte more than the given limit', () => {
    const compressed = deflateRawSync(new Uint8Array(1000));
    expect(inflate(compressed, 0, 1000).bytes).toHaveLength(1000);
    expect(() => inflate(compressed, 0, 999)).toThrow('more data than there may be');
  });

  it('inflates what was compressed, and refuses all else with a RangeError', {
    timeout: FUZZ_TIMEOUT,
  }, async () => {
    await fuzz(
      fc.property(
        fc.uint8Array({ maxLength: 300 }),
        fc.integer({ min: 0, max: 9 }),
        (data, level) => {
          const compressed = Uint8Array.from(deflateRawSync(data, { level }));
          expect(inflate(compressed, 0, data.length).bytes).toEqual(data);
          try {
            inflate(data, 0, 10_000);
          } catch (error) {
            expect(error).toBeInstanceOf(RangeError);
          }
        },
      ),
    );
  });
});

describe('gunzip', () => {
  const FILE = Uint8Array.from(gzipSync(text('a file')));
  const changed = (at: number) => {
    const copy = FILE.slice();
    copy[at < 0 ? copy.length + at : at] = Number(copy.at(at)) ^ 1;
    return copy;
  };

  it('decompresses a gzip file', () => {
    expect(gunzip(FILE, 100)).toEqual(text('a file'));
  });

  it.each<[string, Uint8Array, string]>([
    ['another mark', changed(0), 'another header'],
    ['another method', changed(2), 'another header'],
    ['a flag', changed(3), 'another header'],
    ['nothing', bytes(), 'another header'],
    ['another checksum', changed(-8), 'another checksum'],
    ['another length', changed(-4), 'another length'],
    ['a byte behind it', bytes(...FILE, 0), 'something behind'],
    ['a second member', bytes(...FILE, ...FILE), 'something behind'],
    ['a byte too few', FILE.subarray(0, -1), 'something behind'],
    ['another block', changed(10), 'another length'],
  ])('refuses a gzip file: %s', (_, file, message) => {
    expect(() => gunzip(file, 100)).toThrow(RangeError);
    expect(() => gunzip(file, 100)).toThrow(message);
  });
});
