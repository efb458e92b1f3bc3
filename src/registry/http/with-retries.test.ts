import { describe, expect, it } from 'vitest';
import { NO_CERTIFICATES } from '../hosts/certs-directory.ts';
import { tlsTrust } from '../hosts/tls-trust.ts';
import type { HttpRequest, HttpResponse, Send } from './message.ts';
import { TRANSPORT_LIMITS } from './transport-limits.ts';
import { Unreached } from './unreached.ts';
import { retryAfter, withRetries } from './with-retries.ts';

const NOW = Date.parse('2026-01-01T00:00:00Z');
const LIMITS = { ...TRANSPORT_LIMITS, attempts: 3, backoffMs: 1, longestPauseMs: 2000 };
const REQUEST: HttpRequest = {
  method: 'GET',
  url: new URL('http://r.example/v2/'),
  headers: {},
  body: undefined,
  signal: undefined,
  trust: tlsTrust(NO_CERTIFICATES, [], true),
  registry: 'https://r.example',
};

/** Answers with the given statuses and errors in turn, and then always with the last. */
function answering(...answers: (number | string)[]): { send: Send; count: () => number } {
  let count = 0;
  const send: Send = async (): Promise<HttpResponse> => {
    const answer = answers[Math.min(count, answers.length - 1)] ?? 200;
    count += 1;
    if (typeof answer === 'string') {
      throw new Unreached('r.example', Object.assign(new Error(answer), { code: answer }));
    }
    return { status: answer, headers: {}, url: REQUEST.url, body: empty() };
  };
  return { send, count: () => count };
}

async function* empty(): AsyncGenerator<Uint8Array> {}

describe('Retry-After', () => {
  it('reads Retry-After as a number of seconds or a date', () => {
    expect(retryAfter('7', NOW)).toBe(7000);
    expect(retryAfter('Thu, 01 Jan 2026 00:00:30 GMT', NOW)).toBe(30_000);
    expect(retryAfter('Thu, 01 Jan 2025 00:00:30 GMT', NOW)).toBe(0);
  });

  it('ignores a Retry-After that is neither seconds nor a date', () => {
    for (const field of [undefined, '', '-1', '1.5', 'soon', '2026-01-01', '9'.repeat(40)]) {
      expect(retryAfter(field, NOW)).toBeUndefined();
    }
  });
});

describe('repeated requests', () => {
  const cases: [string, (number | string)[], boolean, number | string, number][] = [
    ['repeated after a failure of the server', [503, 500, 200], true, 200, 3],
    ['repeated at most twice', [503], true, 503, 3],
    ['not repeated when it may have had an effect', [503], false, 503, 1],
    ['repeated when the server is busy, even if not idempotent', [429, 408, 201], false, 201, 3],
    ['repeated after a cut', ['ECONNRESET', 200], true, 200, 2],
    [
      'not repeated after a cut when it may have had an effect',
      ['ECONNRESET'],
      false,
      'ECONNRESET',
      1,
    ],
    ['repeated when it was not sent, even if not idempotent', ['ECONNREFUSED', 200], false, 200, 2],
    [
      'not repeated after an invalid certificate',
      ['CERT_HAS_EXPIRED'],
      true,
      'CERT_HAS_EXPIRED',
      1,
    ],
    ['not repeated when the server does not support it', [501], true, 501, 1],
  ];
  for (const [what, answers, idempotent, outcome, attempts] of cases) {
    it(`decides whether to repeat a request: ${what}`, async () => {
      const { send, count } = answering(...answers);
      const result = withRetries(send, LIMITS, { idempotent, reached: true })(REQUEST);
      if (typeof outcome === 'number') expect((await result).status).toBe(outcome);
      else await expect(result).rejects.toMatchObject({ code: 'registry-unreachable' });
      expect(count()).toBe(attempts);
    });
  }

  it('repeats a request less often while the host was never reached', async () => {
    for (const [reached, attempts] of [
      [false, 2],
      [true, 3],
    ] as const) {
      const { send, count } = answering('ECONNREFUSED');
      const sent = withRetries(send, LIMITS, { idempotent: true, reached })(REQUEST);
      await expect(sent).rejects.toMatchObject({ code: 'registry-unreachable' });
      expect(count()).toBe(attempts);
    }
  });

  it('ends a repeated request at once when it is aborted', async () => {
    const { send, count } = answering(503);
    const signal = AbortSignal.abort(new Error('stopped by the user'));
    const slow = { ...LIMITS, backoffMs: 60_000, longestPauseMs: 60_000 };
    await expect(
      withRetries(send, slow, { idempotent: true, reached: true })({ ...REQUEST, signal }),
    ).rejects.toThrow('stopped by the user');
    expect(count()).toBe(1);
  });
});
