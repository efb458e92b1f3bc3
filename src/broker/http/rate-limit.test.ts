import { describe, expect, it } from 'vitest';
import { RateLimiter } from './rate-limit.ts';

const LIMITS = { perSecond: 10, burst: 20, allPerSecond: 100 };

function limited() {
  let now = 0;
  const limiter = new RateLimiter(LIMITS, () => now);
  return {
    limiter,
    pass: (milliseconds: number) => {
      now += milliseconds;
    },
    /** How many of these requests are served. */
    served: (client: string, count: number) =>
      Array.from({ length: count }).filter(() => limiter.take(client)).length,
  };
}

describe('the limits on requests', () => {
  it('serves a client its burst, then its rate, whatever it asks for', () => {
    const { served, pass } = limited();
    expect(served('a', 10_000)).toBe(20);
    pass(1000);
    expect(served('a', 10_000)).toBe(10);
    pass(3_600_000);
    expect(served('a', 10_000)).toBe(20);
  });

  it('serves other clients while one asks ten thousand times', () => {
    const { served } = limited();
    served('a', 10_000);
    expect(served('b', 5)).toBe(5);
  });

  it('limits what many clients ask for together', () => {
    const { limiter } = limited();
    const clients = Array.from({ length: 1000 }, (_, n) => `client ${n}`);
    expect(clients.filter((client) => limiter.take(client))).toHaveLength(100);
  });

  it('remembers a bounded number of clients', () => {
    const { limiter } = limited();
    for (let n = 0; n < 40_000; n += 1) limiter.take(`client ${n}`);
    expect(limiter.size).toBe(16_384);
  });

  it('does not refill when the clock goes back', () => {
    const { served, pass } = limited();
    served('a', 20);
    pass(-5000);
    expect(served('a', 10)).toBe(0);
  });
});
