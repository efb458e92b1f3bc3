import { fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { describeErrorBody } from './error-body.ts';

const describeJson = (value: unknown) => describeErrorBody(Buffer.from(JSON.stringify(value)));

describe('the body of a refusal', () => {
  it('quotes the errors in the body of a registry', () => {
    const errors = [
      { code: 'DENIED', message: 'no access', detail: { huge: true } },
      { code: 'UNKNOWN' },
    ];
    expect(describeJson({ errors })).toBe('DENIED: no access; UNKNOWN');
  });

  it('quotes the error in the body of a token server', () => {
    expect(describeJson({ error: 'invalid_grant', error_description: 'no' })).toBe(
      'invalid_grant: no',
    );
    expect(describeJson({ details: 'incorrect username' })).toBe('incorrect username');
  });

  it('omits the body of a refusal that is a page', () => {
    expect(describeErrorBody(Buffer.from('<html>502 Bad Gateway</html>'))).toBe('');
  });

  it('shows no part of a secret from the body of a refusal, wherever the line is cut', () => {
    const secrets = ['two  words\tin it', 'two', 's3cret-token'];
    const message = `${'x'.repeat(295)}s3cret-token`;
    expect(describeErrorBody(Buffer.from(JSON.stringify({ message })), secrets)).toBe(
      `${'x'.repeat(295)}***`,
    );
    const spaced = JSON.stringify({ message: 'you are two  words\tin it' });
    expect(describeErrorBody(Buffer.from(spaced), secrets)).toBe('you are ***');
  });

  it('shows the body of a refusal as one short, printable line', async () => {
    expect(
      describeJson({ errors: [{ message: `a\u001b[31m\r\nb\u202ec${'x'.repeat(5000)}` }] }),
    ).toMatch(/^a \[31m b cx+…$/);
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc
        .string({ unit: 'binary' })
        .map((message) => Buffer.from(JSON.stringify({ errors: [{ message }] }))),
    );
    await fuzz(
      fc.property(bytes, (body) => {
        const text = describeErrorBody(Buffer.from(body));
        expect(text).not.toMatch(/[\p{C}\p{Zl}\p{Zp}]/u);
        expect([...text].length).toBeLessThanOrEqual(301);
      }),
    );
  });
});
