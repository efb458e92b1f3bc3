import { describe, expect, it } from 'vitest';
import { AttestationError } from '../errors.ts';
import { DerError, decoding } from './error.ts';

describe('decoding', () => {
  it('returns the result of the parser', () => {
    expect(decoding('crl-encoding', 'A list', () => 7)).toBe(7);
  });

  it('turns a DerError into a refusal with the code of the parsed structure', () => {
    const parse = () =>
      decoding('crl-encoding', 'A list', () => {
        throw new DerError('one', 'two');
      });
    expect(parse).toThrow(AttestationError);
    expect(parse).toThrow(
      expect.objectContaining({
        code: 'crl-encoding',
        message: 'A list: expected one, found two',
        expected: 'one',
        found: 'two',
      }),
    );
  });

  it('rethrows every other error', () => {
    const mistake = new TypeError('a mistake');
    const parse = () =>
      decoding('crl-encoding', 'A list', () => {
        throw mistake;
      });
    expect(parse).toThrow(mistake);
  });
});
