import { expect, it } from 'vitest';
import { A3sError } from '../../../errors.ts';
import { failureOf } from './json-failure.ts';

it('gives programs the code of a server’s error, and internal for what has none', () => {
  const refused = new A3sError('box-not-running', 'It does not run', { remedy: 'Start it.' });
  expect(failureOf(refused)).toEqual({
    code: 'box-not-running',
    error: { message: 'It does not run', remedy: 'Start it.' },
  });
  expect(failureOf(new TypeError('x'))).toEqual({ code: 'internal', error: { message: 'x' } });
});
