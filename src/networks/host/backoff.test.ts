import { expect, it } from 'vitest';
import { Backoff } from './backoff.ts';

/** The seconds of `length` at which it may be tried, asked every second. */
function tries(backoff: Backoff, length: number, pass: () => void): number[] {
  return Array.from({ length }, (_, second) => {
    const may = backoff.mayTry('a');
    pass();
    return may ? [second] : [];
  }).flat();
}

it('tries what fails again and again ever more seldom, and once a minute at least', () => {
  let now = 0;
  const backoff = new Backoff(() => now);
  const pass = () => {
    now += 1;
  };
  expect(tries(backoff, 250, pass)).toEqual([0, 2, 6, 14, 30, 62, 122, 182, 242]);
});

it('tries soon again what has lasted, what was forgotten, and what else there is', () => {
  let now = 0;
  const backoff = new Backoff(() => now);
  for (const at of [0, 2]) {
    now = at;
    expect(backoff.mayTry('a')).toBe(true);
  }
  expect([backoff.mayTry('a'), backoff.mayTry('b')]).toEqual([false, true]);
  now = 2 + 4 + 60;
  expect(backoff.mayTry('a')).toBe(true);
  now += 2;
  expect(backoff.mayTry('a')).toBe(true);
  backoff.forget('a');
  expect(backoff.mayTry('a')).toBe(true);
});
