import { expect, it } from 'vitest';
import { Refusals } from './refusals.ts';

it('remembers the last refusals, and returns those since a time', () => {
  const refusals = new Refusals();
  for (let number = 0; number < 40; number += 1) refusals.add(`reason ${number}`);
  expect(refusals.since(0)).toHaveLength(32);
  expect(refusals.since(0).at(0)).toBe('reason 8');
  expect(refusals.since(performance.now() + 1)).toEqual([]);
});
