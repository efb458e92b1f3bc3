import { describe, expect, it } from 'vitest';
import { parseArguments, UsageError } from './arguments.ts';
import { STAGE_NAMES } from './stage-names.ts';

describe('the arguments of npm test', () => {
  it('runs the chosen stages in their fixed order', () => {
    expect(parseArguments(['vm', 'unit'])).toEqual({
      stages: ['unit', 'vm'],
      changedSince: undefined,
    });
  });

  it('runs every stage when none is chosen', () => {
    expect(parseArguments([]).stages).toEqual(STAGE_NAMES);
  });

  it('selects tests by uncommitted changes, or by changes since a commit', () => {
    expect(parseArguments(['--changed'])).toEqual({ stages: STAGE_NAMES, changedSince: 'HEAD' });
    expect(parseArguments(['unit', '--changed=main'])).toEqual({
      stages: ['unit'],
      changedSince: 'main',
    });
  });

  it('refuses an unknown stage or option, and names the known ones', () => {
    for (const args of [['unit', 'units'], ['--change'], ['--changed=']]) {
      expect(() => parseArguments(args)).toThrow(UsageError);
    }
    expect(() => parseArguments(['units'])).toThrow(/units.*\n.*check, go, unit.*--changed/);
  });
});
