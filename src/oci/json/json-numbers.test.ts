import { fuzzRuns } from '@a3s-box/test-fuzz';
import { fc, test as fuzz } from '@fast-check/vitest';
import { describe, expect, it } from 'vitest';
import { infiniteNumber } from './json-numbers.ts';

describe('infiniteNumber', () => {
  it.each([
    ['1e999', '1e999'],
    ['-1e999', '1e999'],
    ['[0, 1E+400]', '1E+400'],
    ['{"a":{"b":[true,"1e999",1.5e309]}}', '1.5e309'],
    ['1.7976931348623159e308', '1.7976931348623159e308'],
    ['9'.repeat(400), '9'.repeat(400)],
    [`${'9'.repeat(309)}.5`, `${'9'.repeat(309)}.5`],
  ])('finds the infinite number in %s', (text, number) => {
    expect(infiniteNumber(text)).toBe(number);
  });

  it.each([
    '1e308',
    '1.7976931348623157e308',
    '1e-999',
    '0e999',
    '"1e999"',
    '{"1e999":1}',
    '"\\"1e999"',
    `0.${'9'.repeat(400)}`,
    '9'.repeat(308),
    '[1,2.5,-3,true,null]',
    '',
  ])('finds no infinite number in %s', (text) => {
    expect(infiniteNumber(text)).toBeUndefined();
  });

  fuzz.prop(
    [
      fc.array(
        fc.tuple(fc.bigInt({ min: 0n, max: 10n ** 320n }), fc.integer({ min: -400, max: 400 })),
      ),
    ],
    fuzzRuns(),
  )('finds an infinite number exactly where JSON.parse returns one', (pairs) => {
    const text = JSON.stringify(
      pairs.map(([digits, exponent]) => `${digits}e${exponent}`),
    ).replaceAll('"', '');
    const values: number[] = JSON.parse(text);
    expect(infiniteNumber(text) === undefined).toBe(values.every(Number.isFinite));
  });
});
