import { describe, expect, it } from 'vitest';
import { RateLimit } from './rate-limit.ts';

describe('a rate limit', () => {
  it('admits a burst, and then as many as the rate allows', () => {
    let now = 0;
    const limit = new RateLimit({ burst: 2, perSecond: 4 }, () => now);
    expect([limit.take(), limit.take(), limit.take()]).toEqual([true, true, false]);
    now = 249;
    expect(limit.take()).toBe(false);
    now = 250;
    expect([limit.take(), limit.take()]).toEqual([true, false]);
  });

  it('accumulates no more than the burst', () => {
    let now = 0;
    const limit = new RateLimit({ burst: 1, perSecond: 1 }, () => now);
    now = 1e9;
    expect([limit.take(), limit.take()]).toEqual([true, false]);
  });
});
