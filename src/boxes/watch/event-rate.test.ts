import { expect, it } from 'vitest';
import { EventRate } from './event-rate.ts';

it('takes a number of events in each second', () => {
  const rate = new EventRate(3, 100);
  for (const second of [0, 1000, 2500]) {
    const counted = [0, 10, 999, 999].map((after) => rate.count(second + after));
    expect(counted).toEqual([false, false, false, true]);
  }
});

it('pauses twice as long each time, a minute at most, until there was a calm time', () => {
  const rate = new EventRate();
  let now = 0;
  const pauses = Array.from({ length: 7 }, () => {
    const pause = rate.nextPause(now);
    now += pause + 1000;
    return pause / 1000;
  });
  expect(pauses).toEqual([2, 4, 8, 16, 32, 60, 60]);
  expect(rate.nextPause(now + 120_000)).toBe(2000);
});
