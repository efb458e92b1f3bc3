import { expect, it } from 'vitest';
import { Backoff } from './backoff.ts';

const HOUR = 3_600_000;

it('doubles the pause after each failure, up to one hour', () => {
  let now = 0;
  const backoff = new Backoff(() => now);
  expect(backoff.allows('a')).toBe(true);
  const waits: number[] = [];
  for (let round = 0; round < 10; round += 1) {
    backoff.failed('a');
    expect(backoff.allows('b')).toBe(true);
    const since = now;
    while (!backoff.allows('a')) now += 10_000;
    waits.push((now - since) / 1000);
  }
  expect(waits).toEqual([30, 60, 120, 240, 480, 960, 1920, 3600, 3600, 3600]);
});

it('allows a retry at once after the first failure, and forgets old failures', () => {
  let now = 0;
  const backoff = new Backoff(() => now);
  backoff.failed('a', true);
  expect(backoff.allows('a')).toBe(true);
  backoff.failed('a', true);
  expect(backoff.allows('a')).toBe(false);
  now += 6 * HOUR;
  backoff.failed('a', true);
  expect(backoff.allows('a')).toBe(true);
});
