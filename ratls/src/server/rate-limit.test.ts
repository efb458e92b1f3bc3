import { describe, expect, it } from 'vitest';
import { RateLimit } from './rate-limit.ts';

describe('a rate limit', () => {
  it('gives a burst, and then what time brings', () => {
    let now = 0;
    const limit = new RateLimit({ burst: 2, perSecond: 4 }, () => now);
    expect([limit.take(), limit.take(), limit.take()]).toEqual([true, true, false]);
    now = 249;
    expect(limit.take()).toBe(false);
    now = 250;
    expect([limit.take(), limit.take()]).toEqual([true, false]);
  });

  it('saves up no more than the burst', () => {
    let now = 0;
    const limit = new RateLimit({ burst: 1, perSecond: 1 }, () => now);
    now = 1e9;
    expect([limit.take(), limit.take()]).toEqual([true, false]);
  });
});
