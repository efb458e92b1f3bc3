import { afterEach, expect, it, vi } from 'vitest';
import { now, timestamp } from './clock.ts';

const MILLISECOND = 1_000_000n;
const wall = Date.now;

afterEach(() => vi.restoreAllMocks());

it.each([
  ['was set forward, or stood still while the host slept', 8 * 3_600_000],
  ['was set back', -60_000],
])('follows the clock of the host when it %s', (_, by) => {
  now();
  vi.spyOn(Date, 'now').mockImplementation(() => wall() + by);
  const before = BigInt(Date.now()) * MILLISECOND;
  const moment = now();
  expect(moment).toBeGreaterThanOrEqual(before - 20n * MILLISECOND);
  expect(moment).toBeLessThanOrEqual(BigInt(Date.now() + 20) * MILLISECOND);
});

it('distinguishes moments within a millisecond, in their order', () => {
  vi.spyOn(Date, 'now').mockReturnValue(wall());
  let monotonic = performance.now();
  // However long this process waits for a processor meanwhile.
  vi.spyOn(performance, 'now').mockImplementation(() => (monotonic += 0.02));
  const moments = Array.from({ length: 50 }, now);
  expect(moments.toSorted((a, b) => (a < b ? -1 : 1))).toEqual(moments);
  expect(new Set(moments.map((moment) => moment / MILLISECOND)).size).toBeLessThan(
    new Set(moments).size,
  );
});

it('writes a time with nine digits behind the second', () => {
  expect(timestamp(1_767_225_600_000_000_001n)).toBe('2026-01-01T00:00:00.000000001Z');
});
