import { expect, it } from 'vitest';
import { wrap } from './wrap.ts';

it.each([
  ['', 5, ['']],
  ['one two', 7, ['one two']],
  ['one two three', 7, ['one two', 'three']],
  ['one abcdefghij k l', 4, ['one', 'abcdefghij', 'k l']],
  ['é é é', 3, ['é é', 'é']],
])('wraps %j at %i columns', (text, width, lines) => {
  expect(wrap(text, width)).toEqual(lines);
});
