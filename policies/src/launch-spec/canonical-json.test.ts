import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { type CanonicalValue, canonicalJson } from './canonical-json.ts';

const nested = (levels: number): CanonicalValue => (levels === 0 ? 'deep' : [nested(levels - 1)]);

describe('canonicalJson', () => {
  it('sorts members by their UTF-16 units, as in RFC 8785 section 3.2.3', () => {
    const value = {
      '\u20ac': 'Euro Sign',
      '\r': 'Carriage Return',
      '\ufb33': 'Hebrew Letter Dalet With Dagesh',
      '1': 'One',
      '\ud83d\ude00': 'Emoji: Grinning Face',
      '\u0080': 'Control',
      '\u00f6': 'Latin Small Letter O With Diaeresis',
    };
    expect(canonicalJson(value)).toBe(
      '{"\\r":"Carriage Return","1":"One","\u0080":"Control","\u00f6":"Latin Small Letter O With Diaeresis",' +
        '"\u20ac":"Euro Sign","\ud83d\ude00":"Emoji: Grinning Face","\ufb33":"Hebrew Letter Dalet With Dagesh"}',
    );
  });

  it('escapes strings as in RFC 8785 section 3.2.2.2, and nothing else', () => {
    expect(canonicalJson('\u20ac$\u000f\u000aA\'\u0042"\u005c\\"/')).toBe(
      '"\u20ac$\\u000f\\nA\'B\\"\\\\\\\\\\"/"',
    );
    expect(canonicalJson('\b\t\n\f\r\u0000\u001f\u007f\u2028\u2029')).toBe(
      '"\\b\\t\\n\\f\\r\\u0000\\u001f\u007f\u2028\u2029"',
    );
  });

  it.each([
    [0, '0'],
    [-1, '-1'],
    [1e15, '1000000000000000'],
    [Number.MAX_SAFE_INTEGER, '9007199254740991'],
    [Number.MIN_SAFE_INTEGER, '-9007199254740991'],
    [true, 'true'],
    [[], '[]'],
    [{}, '{}'],
    [[1, ['b', {}], false], '[1,["b",{}],false]'],
    [{ b: 1, a: undefined }, '{"b":1}'],
  ])('writes the canonical JSON of %j', (value, text) =>
    expect(canonicalJson(value as CanonicalValue)).toBe(text),
  );

  it('writes a member named __proto__ like any other', () => {
    const value = JSON.parse('{"b":1,"__proto__":{"a":2}}') as CanonicalValue;
    expect(canonicalJson(value)).toBe('{"__proto__":{"a":2},"b":1}');
  });

  it.each([
    ['a fraction', 1.5, RangeError],
    ['minus zero', -0, RangeError],
    ['NaN', Number.NaN, RangeError],
    ['infinity', Number.POSITIVE_INFINITY, RangeError],
    ['an unsafe integer', 2 ** 53, RangeError],
    ['a lone surrogate', '\ud800', RangeError],
    ['a lone surrogate in a name', { '\udc00': 1 }, RangeError],
    ['33 levels', nested(33), RangeError],
    ['null', null, TypeError],
    ['a big integer', 1n, TypeError],
    ['a function', () => 1, TypeError],
    ['undefined in a list', [undefined], TypeError],
  ])('refuses to write canonical JSON of %s', (_, value, kind) => {
    expect(() => canonicalJson(value as CanonicalValue)).toThrow(kind);
  });

  it('writes canonical JSON of 32 levels', () => {
    expect(canonicalJson(nested(32))).toHaveLength(2 * 32 + '"deep"'.length);
  });
});

describe('every value', () => {
  const integer = fc.maxSafeInteger().map((value) => (value === 0 ? 0 : value));
  const leaf = fc.oneof(fc.string({ unit: 'grapheme' }), integer, fc.boolean());
  const { tree } = fc.letrec<{ tree: CanonicalValue }>((tie) => ({
    tree: fc.oneof(
      { depthSize: 'small', maxDepth: 6 },
      leaf,
      fc.array(tie('tree'), { maxLength: 5 }),
      fc.dictionary(fc.string({ unit: 'grapheme' }), tie('tree'), { maxKeys: 5 }),
    ),
  }));

  it(
    'parses canonical JSON back to the same value, and writes it the same again',
    () =>
      fuzz(
        fc.property(tree, (value) => {
          const text = canonicalJson(value);
          const read = JSON.parse(text) as CanonicalValue;
          expect(canonicalJson(read)).toBe(text);
          expect(JSON.parse(JSON.stringify(value))).toEqual(read);
        }),
      ),
    FUZZ_TIMEOUT,
  );

  it(
    'writes the same canonical JSON in whatever order the members were set',
    () =>
      fuzz(
        fc.property(
          fc.dictionary(fc.string(), fc.integer()),
          fc.infiniteStream(fc.nat()),
          (value, random) => {
            const ranks = new Map(Object.keys(value).map((key) => [key, random.next().value]));
            const shuffled = Object.entries(value).sort(
              ([a], [b]) => (ranks.get(a) ?? 0) - (ranks.get(b) ?? 0),
            );
            const other = Object.fromEntries(shuffled);
            expect(canonicalJson(other)).toBe(canonicalJson(value));
          },
        ),
      ),
    FUZZ_TIMEOUT,
  );
});
