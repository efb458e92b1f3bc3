import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { fromBase64 } from './base64.ts';

describe('fromBase64', () => {
  it.each([
    ['', []],
    ['AA==', [0]],
    ['AA', [0]],
    ['/w==', [0xff]],
    ['_w', [0xff]],
    ['+/8=', [0xfb, 0xff]],
    ['-_8', [0xfb, 0xff]],
    ['AQID', [1, 2, 3]],
  ])('decodes the base64 text %j', (text, bytes) => {
    expect(fromBase64(text)).toEqual(Uint8Array.from(bytes));
  });

  it.each([
    ['a digit alone', 'A'],
    ['a digit too many', 'AAAAA'],
    ['too little padding', 'AA='],
    ['too much padding', 'AAA=='],
    ['padding of whole bytes', 'AAAA='],
    ['padding alone', '='],
    ['padding inside', 'AA==AAAA'],
    ['white space', 'AA ='],
    ['a line end', 'AAAA\n'],
    ['a foreign character', 'AA.A'],
    ['both alphabets', '+_AA'],
    ['bits behind the last byte', 'AB=='],
    ['bits behind the last of two bytes', 'AAB='],
  ])('refuses base64 with %s', (_, text) => {
    expect(fromBase64(text)).toBeUndefined();
  });

  it('decodes base64 as Node.js does', { timeout: FUZZ_TIMEOUT }, async () => {
    await fuzz(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        const buffer = Buffer.from(bytes);
        expect(fromBase64(buffer.toString('base64'))).toEqual(bytes);
        expect(fromBase64(buffer.toString('base64url'))).toEqual(bytes);
      }),
    );
  });

  it('decodes only the canonical base64 text of each style', {
    timeout: FUZZ_TIMEOUT,
  }, async () => {
    const text = fc.string({ unit: fc.constantFrom(...'AQgw+/-_=09'), maxLength: 12 });
    await fuzz(
      fc.property(text, (given) => {
        const bytes = fromBase64(given);
        if (bytes === undefined) return;
        const standard = Buffer.from(bytes).toString('base64');
        const styles = [standard, standard.replace(/=+$/, '')];
        const url = styles.map((style) => style.replaceAll('+', '-').replaceAll('/', '_'));
        expect([...styles, ...url]).toContain(given);
      }),
    );
  });
});
