import { describe, expect, it } from 'vitest';
import { parseArguments, UsageError } from './arguments.ts';
import { STAGE_NAMES } from './stage-names.ts';

describe('the arguments of npm test', () => {
  it('choose stages, which run in their order', () => {
    expect(parseArguments(['vm', 'unit'])).toEqual({
      stages: ['unit', 'vm'],
      changedSince: undefined,
    });
  });

  it('choose every stage when there are none', () => {
    expect(parseArguments([]).stages).toEqual(STAGE_NAMES);
  });

  it('choose what a change reaches: one that is not committed, or since a commit', () => {
    expect(parseArguments(['--changed'])).toEqual({ stages: STAGE_NAMES, changedSince: 'HEAD' });
    expect(parseArguments(['unit', '--changed=main'])).toEqual({
      stages: ['unit'],
      changedSince: 'main',
    });
  });

  it('are refused when there is no such stage or option, with those that there are', () => {
    for (const args of [['unit', 'units'], ['--change'], ['--changed=']]) {
      expect(() => parseArguments(args)).toThrow(UsageError);
    }
    expect(() => parseArguments(['units'])).toThrow(/units.*\n.*check, go, unit.*--changed/);
  });
});
