import { fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import { readTokenAnswer } from './token-answer.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const read = (value: unknown) => readTokenAnswer(Buffer.from(JSON.stringify(value)), NOW, 't');

describe('the answer of a token server', () => {
  it('reads the token under either name, and the refresh token', () => {
    expect(read({ token: 'a' }).value).toBe('a');
    expect(read({ access_token: 'b', token: null, refresh_token: 'r' })).toMatchObject({
      value: 'b',
      refreshToken: 'r',
    });
  });

  it('uses a token without a lifetime for 45 seconds', () => {
    expect(read({ token: 'a' }).renewAt).toBe(NOW + 45_000);
  });

  it('renews a token before it expires, counted from its issue', () => {
    const issued_at = '2025-12-31T23:59:00Z';
    expect(read({ token: 'a', expires_in: 300, issued_at }).renewAt).toBe(NOW + 210_000);
  });

  it('counts the lifetime of a token from now when the clock of the server is wrong', () => {
    for (const issued_at of ['2026-01-01T01:00:00Z', '2025-01-01T00:00:00Z', 'yesterday']) {
      expect(read({ token: 'a', expires_in: 300, issued_at }).renewAt).toBe(NOW + 270_000);
    }
  });

  it('uses no token for longer than a day', () => {
    expect(read({ token: 'a', expires_in: 1e300 }).renewAt).toBe(NOW + 86_400_000 - 30_000);
    expect(read({ token: 'a', expires_in: -5 }).renewAt).toBe(NOW);
  });

  for (const [what, value] of Object.entries({
    'has no token': {},
    'has an empty token': { token: '', access_token: '' },
    'has a token with a line break': { token: 'a\r\nX: y' },
    'has a token that is too long': { token: 'a'.repeat(40_000) },
    'is a list': [],
  })) {
    it(`refuses the answer of a token server when it ${what}`, () => {
      expect(() => read(value)).toThrow(expect.objectContaining({ code: 'registry-failed' }));
    });
  }

  it('never quotes the answer of a token server', () => {
    const broken = Buffer.from('{"token": "s3cret", oops');
    expect(() => readTokenAnswer(broken, NOW, 't')).toThrow(
      'Cannot use the answer of the token server t: it is not JSON',
    );
  });

  it('reads any answer of a token server as a token or an error', async () => {
    const bytes = fc.oneof(
      fc.uint8Array(),
      fc.json().map((text) => Buffer.from(text)),
      fc
        .record(
          { token: fc.anything(), expires_in: fc.anything(), issued_at: fc.string() },
          { requiredKeys: [] },
        )
        .map((value) =>
          Buffer.from(JSON.stringify(value, (_, v) => (typeof v === 'bigint' ? 1 : v))),
        ),
    );
    await fuzz(
      fc.property(bytes, (text) => {
        try {
          const { value, renewAt } = readTokenAnswer(Buffer.from(text), NOW, 't');
          expect(value).toMatch(/^[\x21-\x7e]+$/);
          expect(renewAt - NOW).toBeGreaterThanOrEqual(0);
          expect(renewAt - NOW).toBeLessThanOrEqual(86_400_000);
        } catch (error) {
          expect(error).toBeInstanceOf(A3sError);
        }
      }),
    );
  });
});
