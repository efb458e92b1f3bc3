import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { compact, msgpack } from '../testing/dstack.ts';
import { decodeMsgpack } from './msgpack.ts';
import { ScaleReader } from './scale.ts';

const decode = (...bytes: number[]) => decodeMsgpack(Uint8Array.from(bytes));
const letters = (count: number) => new Array<number>(count).fill(0x61);
const zeros = (count: number) => new Array<number>(count).fill(0);

describe('decodeMsgpack', () => {
  it.each<[string, number[], unknown]>([
    ['a small number', [0x7f], 127],
    ['a number of a byte', [0xcc, 0xff], 255],
    ['a number of two bytes', [0xcd, 1, 0], 256],
    ['a number of four bytes', [0xce, 0xff, 0xff, 0xff, 0xff], 0xffff_ffff],
    ['a number of eight bytes', [0xcf, 0, 0, 0, 1, 0, 0, 0, 0], 0x1_0000_0000],
    ['nothing', [0xc0], null],
    ['false', [0xc2], false],
    ['true', [0xc3], true],
    ['a short text', [0xa2, 0x61, 0x62], 'ab'],
    ['a text', [0xd9, 2, 0x61, 0x62], 'ab'],
    ['a long text', [0xda, 1, 0, ...letters(256)], 'a'.repeat(256)],
    ['a longer text', [0xdb, 0, 0, 0, 1, 0x61], 'a'],
    ['bytes', [0xc4, 2, 7, 8], Uint8Array.of(7, 8)],
    ['many bytes', [0xc5, 0, 2, 7, 8], Uint8Array.of(7, 8)],
    ['more bytes', [0xc6, 0, 0, 0, 2, 7, 8], Uint8Array.of(7, 8)],
    ['a short list', [0x92, 1, 2], [1, 2]],
    ['a list', [0xdc, 0, 2, 1, 2], [1, 2]],
    ['a long list', [0xdd, 0, 0, 0, 2, 1, 2], [1, 2]],
    ['a short map', [0x81, 0xa1, 0x61, 1], { a: 1 }],
    ['a map', [0xde, 0, 1, 0xa1, 0x61, 1], { a: 1 }],
    ['a long map', [0xdf, 0, 0, 0, 1, 0xa1, 0x61, 1], { a: 1 }],
  ])('reads from MessagePack: %s', (_, bytes, value) => {
    expect(decode(...bytes)).toEqual(value);
  });

  it('reads __proto__ in MessagePack as an ordinary key', () => {
    const decoded = decodeMsgpack(Uint8Array.from(msgpack({ ['__proto__']: 1, a: { b: [] } })));
    expect(Object.entries(Object(decoded))).toEqual([
      ['__proto__', 1],
      ['a', { b: [] }],
    ]);
  });

  it.each<[string, number[], string]>([
    ['no bytes', [], 'ends too early'],
    ['a byte behind it', [0x01, 0x01], 'behind the data'],
    ['a negative number', [0xff], '0xff'],
    ['a negative number of a byte', [0xd0, 0xff], '0xd0'],
    ['a floating-point number', [0xca, 0, 0, 0, 0], '0xca'],
    ['an extension', [0xd4, 0, 0], '0xd4'],
    ['the unused byte 0xc1', [0xc1], '0xc1'],
    ['a number that is not exact', [0xcf, 0xff, ...zeros(7)], 'not exact'],
    ['a name twice', [0x82, 0xa1, 0x61, 1, 0xa1, 0x61, 2], 'twice'],
    ['a name that is a number', [0x81, 1, 1], 'no text'],
    ['text that is not UTF-8', [0xa1, 0xff], 'UTF-8'],
    ['a text that ends too early', [0xa2, 0x61], 'ends too early'],
    ['a list that is longer than the data', [0xdd, 0xff, 0xff, 0xff, 0xff], 'ends too early'],
    ['a map that is longer than the data', [0xdf, 0xff, 0xff, 0xff, 0xff], 'ends too early'],
    ['values nested too deep', [...new Array<number>(17).fill(0x91), 0], 'too deep'],
  ])('refuses MessagePack with %s', (_, bytes, message) => {
    expect(() => decode(...bytes)).toThrow(RangeError);
    expect(() => decode(...bytes)).toThrow(message);
  });

  it('reads any bytes as MessagePack or refuses them with a RangeError', {
    timeout: FUZZ_TIMEOUT,
  }, async () => {
    await fuzz(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        try {
          decodeMsgpack(bytes);
        } catch (error) {
          expect(error).toBeInstanceOf(RangeError);
        }
      }),
    );
  });
});

describe('ScaleReader', () => {
  const reader = (...bytes: number[]) => new ScaleReader(Uint8Array.from(bytes));

  it.each([0, 1, 63, 64, 1184, 16_383, 16_384, 0x3fff_ffff])(
    'reads the SCALE length %i',
    (value) => {
      expect(reader(...compact(value)).compact()).toBe(value);
    },
  );

  it.each<[string, number[], string]>([
    ['nothing', [], 'ends too early'],
    ['half a length', [0x01], 'ends too early'],
    ['a length of more than four bytes', [0x03, 0, 0, 0, 0], 'no attestation has'],
    ['a length in two bytes that fits in one', [0xfd, 0], 'too long'],
    ['a length in four bytes that fits in two', [0xfe, 0xff, 0, 0], 'too long'],
  ])('refuses a SCALE length: %s', (_, bytes, message) => {
    expect(() => reader(...bytes).compact()).toThrow(message);
  });
});
