import { expect, it } from 'vitest';
import { EventRate } from './event-rate.ts';

it('takes a number of events in each second', () => {
  const rate = new EventRate(3, 100);
  for (const second of [0, 1000, 2500]) {
    const counted = [0, 10, 999, 999].map((after) => rate.count(second + after));
    expect(counted).toEqual([false, false, false, true]);
  }
});

it('takes the work of 20,000 directories in a minute, or 200,000 names', () => {
  const rate = new EventRate();
  for (const [work, most] of [
    ['directory', 20_000],
    ['name', 200_000],
  ] as const) {
    for (const minute of [0, 60_000]) {
      const now = minute + (work === 'name' ? 300_000 : 0);
      const taken = Array.from({ length: most }, (_, at) => rate.countWalk(work, now + at / 10));
      expect(taken).not.toContain(true);
      expect(rate.countWalk(work, now + 59_999)).toBe(true);
    }
  }
  expect(rate.countWalk('name', 359_999)).toBe(true);
  rate.nextPause(359_999);
  expect(rate.countWalk('name', 359_999)).toBe(false);
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
