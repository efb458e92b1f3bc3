import { expect, it } from 'vitest';
import { withoutSign } from './sign-flag.ts';

it.each([
  [['-t', 'a', '.'], undefined, ['-t', 'a', '.']],
  [['--sign', 'k.pem', '-t', 'a', '.'], 'k.pem', ['-t', 'a', '.']],
  [['-t', 'a', '.', '--sign=env://KEY'], 'env://KEY', ['-t', 'a', '.']],
  [['--sign=a', '--sign', 'b', '.'], 'b', ['.']],
])('takes the key out of %j', (given, key, args) => {
  expect(withoutSign(given)).toEqual({ key, args });
});

it.each([[['.', '--sign']], [['--sign=', '.']]])('refuses %j, which names no key', (given) => {
  expect(() => withoutSign(given)).toThrow('flag needs an argument: --sign');
});
