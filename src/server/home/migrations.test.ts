import { createHash } from 'node:crypto';
import { expect, it } from 'vitest';
import { MIGRATIONS } from './migrations.ts';

/** The steps that homes have taken: a new one is added at the end, and none of these changes. */
const TAKEN: readonly string[] = [
  '45a3bf8e168b',
  '3aa39ddbc534',
  '8ecea007bf12',
  '1b9c7f7c3746',
  '3b023b1e01ac',
  'a239f4e811e9',
  'd874ba9896e7',
  '2fa20f6d0c99',
  '241feecc9c3e',
  '9f89245bf09e',
];

const digest = (step: string): string =>
  createHash('sha256').update(step).digest('hex').slice(0, 12);

it('takes a home of any earlier version through the steps that are left to it', () => {
  expect(MIGRATIONS.map(digest)).toEqual(TAKEN);
});
