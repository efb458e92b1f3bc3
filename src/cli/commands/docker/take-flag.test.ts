import { expect, it } from 'vitest';
import { takeFlag } from './take-flag.ts';

it.each([
  [['-t', 'a', '.'], undefined, ['-t', 'a', '.']],
  [['--sign', 'k.pem', '-t', 'a', '.'], 'k.pem', ['-t', 'a', '.']],
  [['-t', 'a', '.', '--sign=env://KEY'], 'env://KEY', ['-t', 'a', '.']],
  [['--sign=a', '--sign', 'b', '.'], 'b', ['.']],
])('takes the flag out of %j', (given, value, args) => {
  expect(takeFlag('--sign', given)).toEqual({ value, args });
});

it.each([[['.', '--sign']], [['--sign=', '.']]])('refuses %j, which has no value', (given) => {
  expect(() => takeFlag('--sign', given)).toThrow('flag needs an argument: --sign');
});
