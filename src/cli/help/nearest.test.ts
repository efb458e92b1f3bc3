import { expect, it } from 'vitest';
import { nearest } from './nearest.ts';

it.each([
  ['rum', 'run'],
  ['iamges', 'images'],
  ['inspec', 'inspect'],
  ['xyzzy', undefined],
  ['r'.repeat(500), undefined],
])('finds for the mistyped word %s the nearest: %s', (word, expected) => {
  expect(nearest(word, ['run', 'images', 'inspect', 'rm'])).toBe(expected);
});
