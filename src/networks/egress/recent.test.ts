import { expect, it } from 'vitest';
import { REPEAT_SECONDS, Recent } from './recent.ts';

it('takes what comes again within a minute for no new refusal', () => {
  let now = 0;
  const recent = new Recent(8, () => now);
  const isNew = (key: string) => recent.isNew(key);
  expect(['a', 'b', 'a'].map(isNew)).toEqual([true, true, false]);
  now = REPEAT_SECONDS - 1;
  expect(isNew('a')).toBe(false);
  now = REPEAT_SECONDS;
  expect(isNew('a')).toBe(true);
});

it('remembers a bounded number of refusals, and reports others again', () => {
  const recent = new Recent(2, () => 0);
  const isNew = (key: string) => recent.isNew(key);
  expect(['a', 'b', 'c', 'c', 'a'].map(isNew)).toEqual([true, true, true, false, true]);
});
