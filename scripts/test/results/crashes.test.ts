import { describe, expect, it } from 'vitest';
import { UNFINISHED, withCrashes } from './crashes.ts';
import type { FileResult, TestResult } from './report.ts';

const DEATH =
  'Error: [vitest-pool]: Worker forks emitted error.\nCaused by: Error: Worker exited unexpectedly';

function file(name: string, output = ''): FileResult {
  const state: TestResult['state'] = output === '' ? 'passed' : 'failed';
  return { file: name, seconds: 1, tests: [{ path: ['works'], state, output }], errors: [] };
}

describe('a process that crashed', () => {
  it('attributes a crashed process to the file that it left unfinished', () => {
    const report = withCrashes({ files: [file('a'), file('b', UNFINISHED)], errors: [DEATH] });
    expect(report.errors).toEqual([]);
    expect(report.files.map(({ errors }) => errors)).toEqual([[], [DEATH]]);
  });

  it('attributes a crashed process to the run when no file is unfinished', () => {
    const files = [file('a'), file('b', 'expected 1 to be 2')];
    expect(withCrashes({ files, errors: [DEATH] })).toEqual({ files, errors: [DEATH] });
  });

  it('keeps other errors beside a crashed process', () => {
    const { errors } = withCrashes({ files: [file('a', UNFINISHED)], errors: ['other', DEATH] });
    expect(errors).toEqual(['other']);
  });
});
