import { describe, expect, it } from 'vitest';
import { tierOf, tierUnder, worstTier } from './tiers.ts';

describe('tiers of trustworthiness', () => {
  it.each([
    [-128, 'contraindicated'],
    [-97, 'contraindicated'],
    [-96, 'warning'],
    [-33, 'warning'],
    [-32, 'affirming'],
    [-2, 'affirming'],
    [-1, 'none'],
    [1, 'none'],
    [2, 'affirming'],
    [31, 'affirming'],
    [32, 'warning'],
    [95, 'warning'],
    [96, 'contraindicated'],
    [127, 'contraindicated'],
  ])('puts the value %i where AR4SI has it', (value, tier) => {
    expect(tierOf(value)).toBe(tier);
  });

  it('takes nothing said for worse than a good word, and better than a bad one', () => {
    expect(worstTier(['affirming', 'none'])).toBe('none');
    expect(worstTier(['none', 'warning', 'affirming'])).toBe('warning');
  });

  it('lets no status stand above a claim, and is not lowered by claims that say nothing', () => {
    expect(tierUnder('affirming', { hardware: 2, configuration: 32 })).toBe('warning');
    expect(tierUnder('affirming', { hardware: 2, configuration: 0 })).toBe('affirming');
    expect(tierUnder('contraindicated', { hardware: 2 })).toBe('contraindicated');
  });
});
