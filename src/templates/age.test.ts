import { expect, it } from 'vitest';
import { ageOf, due, expired } from './age.ts';

const HOUR = 3_600_000;
const CREATED = Date.parse('2026-01-01T00:00:00.000Z');

/**
 * The age of a template that was found `seen` ms after its creation, at later readings of both
 * clocks.
 */
function age(seen: number, wall: number, steady: number): number {
  const record = { createdAt: new Date(CREATED).toISOString() };
  const entry = { record, seen: { wall: CREATED + seen, steady: 1000 } };
  return ageOf(entry, { wall: () => CREATED + wall, steady: () => 1000 + steady });
}

it('measures the age of a template by the clock that has advanced further', () => {
  expect(age(HOUR, 3 * HOUR, 2 * HOUR)).toBe(3 * HOUR);
  // The host slept.
  expect(age(HOUR, 9 * HOUR, 0)).toBe(9 * HOUR);
  // The clock was set back.
  expect(age(HOUR, 0, 5 * HOUR)).toBe(6 * HOUR);
});

it('treats a creation time in the future as too old, but allows a few minutes', () => {
  expect(age(0, -60_000, 0)).toBe(0);
  expect(age(0, -HOUR, 0)).toBe(Number.POSITIVE_INFINITY);
  expect(expired(age(0, -HOUR, 0), 24 * HOUR)).toBe(true);
});

it('asks for a replacement before the template expires', () => {
  expect(due(17 * HOUR, 24 * HOUR)).toBe(false);
  expect(due(18 * HOUR, 24 * HOUR)).toBe(true);
  expect(expired(18 * HOUR, 24 * HOUR)).toBe(false);
  expect(expired(24 * HOUR, 24 * HOUR)).toBe(true);
});
