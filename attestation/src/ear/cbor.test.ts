import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { codeOf } from '../testing/code-of.ts';
import { decodeCbor, decodeClaims } from './cbor-reader.ts';
import { encodeCbor } from './cbor-writer.ts';
import { OtherItem, TaggedItem, type Tree } from './claim-value.ts';

const decoded = (hex: string): Tree => decodeCbor(Buffer.from(hex, 'hex'), 'the input');
const encoded = (tree: Tree): string => Buffer.from(encodeCbor(tree)).toString('hex');

/** Examples of RFC 8949, appendix A. */
const EXAMPLES: readonly (readonly [string, Tree])[] = [
  ['00', 0],
  ['17', 23],
  ['1818', 24],
  ['1903e8', 1000],
  ['1a000f4240', 1_000_000],
  ['1b000000e8d4a51000', 1_000_000_000_000],
  ['1bffffffffffffffff', 18446744073709551615n],
  ['3bffffffffffffffff', -18446744073709551616n],
  ['3863', -100],
  ['f4', false],
  ['f6', null],
  ['c074323031332d30332d32315432303a30343a30305a', new TaggedItem(0, '2013-03-21T20:04:00Z')],
  ['4401020304', Uint8Array.of(1, 2, 3, 4)],
  ['62c3bc', 'ü'],
  ['80', []],
  ['8301820203820405', [1, [2, 3], [4, 5]]],
  [
    'a201020304',
    new Map([
      [1, 2],
      [3, 4],
    ]),
  ],
];

const REFUSED: Readonly<Record<string, string>> = {
  'nothing at all': '',
  'a byte behind the item': '0000',
  'a number in more bytes than needed': '1817',
  'a length in more bytes than needed': '580100',
  'a map with a key twice': 'a2616101616102',
  'a map with an integer twice': 'a201020102',
  'a map whose key is bytes': 'a1414100',
  'a byte string of indefinite length': '5f4101ff',
  'an array of indefinite length': '9f01ff',
  'a map of indefinite length': 'bf0102ff',
  'text that is not UTF-8': '61ff',
  'an overlong form in text': '62c080',
  'a simple value of no meaning': 'f0',
  'a simple value of two bytes': 'f8ff',
  'a break on its own': 'ff',
  'additional information 28': '1c',
  'an array longer than the input': '9affffffff',
  'a string longer than the input': '5bffffffffffffffff',
  'a cut number': '19ff',
  'seventeen levels': `${'81'.repeat(17)}00`,
  'seventeen tags': `${'c1'.repeat(17)}00`,
};

describe('CBOR of tokens', () => {
  it('writes neither integers of more than 64 bits nor items that it only skips', () => {
    expect(() => encodeCbor(2n ** 64n)).toThrow(RangeError);
    expect(() => encodeCbor(new OtherItem('a float'))).toThrow(TypeError);
  });

  it.each(EXAMPLES)('reads and writes the example %s of the RFC', (hex, tree) => {
    expect(decoded(hex)).toEqual(tree);
    expect(encoded(tree)).toBe(hex);
  });

  it.each(Object.entries(REFUSED))('refuses %s', (_, hex) => {
    expect(codeOf(() => decoded(hex))).toBe('ear-malformed');
  });

  it('reads containers of indefinite length in claims alone, and no such strings', () => {
    const claims = (hex: string): Tree => decodeClaims(Buffer.from(hex, 'hex'), 'the claims');
    expect(claims('bf019f0203ff02a0ff')).toEqual(
      new Map<number, Tree>([
        [1, [2, 3]],
        [2, new Map()],
      ]),
    );
    const refused = [
      '5f4101ff',
      '7f6161ff',
      '9f01',
      'bf01ff',
      'bf0102',
      'bf01020103ff',
      '9fffff',
      'dfff',
    ];
    for (const hex of [...refused, `${'9f'.repeat(18)}${'ff'.repeat(18)}`]) {
      expect(codeOf(() => claims(hex))).toBe('ear-malformed');
    }
  });

  it('reads floats and undefined as items without a meaning, so that they can be ignored', () => {
    for (const hex of ['f93e00', 'fa47c35000', 'fb3ff199999999999a', 'f7']) {
      expect(decoded(hex)).toBeInstanceOf(OtherItem);
    }
  });

  it('writes the keys of a map in one order, and reads any', () => {
    const tree = new Map<string | number, Tree>([
      ['b', 1],
      [-1, 2],
      [10, 3],
      ['aa', 4],
    ]);
    expect(encoded(tree)).toBe('a40a03200261620162616104');
    expect(decoded('a4200262616104616201 0a03'.replace(' ', ''))).toEqual(tree);
  });

  it('reads back what it writes, whatever that is', { timeout: FUZZ_TIMEOUT }, () => {
    const { tree } = fc.letrec<{ tree: Tree }>((tie) => ({
      tree: fc.oneof(
        { maxDepth: 5 },
        fc.boolean(),
        fc.constant(null),
        fc.maxSafeInteger(),
        fc.string({ unit: 'grapheme' }),
        fc.uint8Array(),
        fc.array(tie('tree'), { maxLength: 4 }),
        fc
          .array(fc.tuple(fc.oneof(fc.maxSafeInteger(), fc.string()), tie('tree')), {
            maxLength: 4,
          })
          .map((entries) => new Map(entries)),
      ),
    }));
    return fuzz(
      fc.property(tree, (value) => {
        const bytes = encodeCbor(value);
        const again = decodeCbor(bytes, 'the input');
        expect(again).toEqual(value);
        expect(encodeCbor(again)).toEqual(bytes);
      }),
    );
  });
});
