import { describe, expect, it } from 'vitest';
import { parseArguments, UsageError } from './arguments.ts';
import { STAGE_NAMES } from './stages.ts';

describe('the arguments of npm test', () => {
  it('choose stages, which run in their order', () => {
    expect(parseArguments(['vm', 'unit']).stages).toEqual(['unit', 'vm']);
  });

  it('choose every stage when there are none', () => {
    expect(parseArguments([]).stages).toEqual(STAGE_NAMES);
  });

  it('are refused when a stage does not exist, with the names of those that do', () => {
    expect(() => parseArguments(['unit', 'units'])).toThrow(UsageError);
    expect(() => parseArguments(['units'])).toThrow(/units.*\n.*check, go, unit/);
  });
});
