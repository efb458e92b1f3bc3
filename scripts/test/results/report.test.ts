import { describe, expect, it } from 'vitest';
import { closing } from './closing.ts';
import { count, failuresIn, type StageReport, singleTest } from './report.ts';

const report: StageReport = {
  stage: 'vm',
  files: [
    {
      file: 'test/e2e/run.test.ts',
      seconds: 12,
      tests: [
        { path: ['a box', 'starts'], state: 'passed', output: '' },
        { path: ['a box', 'stops'], state: 'failed', output: 'timed out' },
        { path: ['a box', 'sleeps'], state: 'skipped', output: '' },
      ],
      errors: ['Error: a process is left\n    at afterAll'],
    },
    singleTest('types', 3, undefined),
  ],
  errors: ['vitest ended with 1'],
};

describe('a report', () => {
  it('counts an error outside of tests as a failure', () => {
    expect(count([report])).toEqual({ passed: 2, failed: 3, skipped: 1 });
  });

  it('names each failure: a test by its titles, an error by its first line', () => {
    expect(failuresIn(report)).toEqual([
      'test/e2e/run.test.ts > a box > stops',
      'test/e2e/run.test.ts: Error: a process is left',
      'vm: vitest ended with 1',
    ]);
  });

  it('names a check that failed by its title alone', () => {
    const check = singleTest('types', 3, 'error TS2322');
    expect(failuresIn({ stage: 'check', files: [check], errors: [] })).toEqual(['types']);
  });
});

describe('the closing lines', () => {
  const green: StageReport = {
    stage: 'vm',
    files: [singleTest('a', 1, undefined)],
    errors: [],
  };
  const flake = { test: 'run.test.ts > a box > stops', first: 'timed out', second: '' };

  it('prints the counts alone on the last line', () => {
    expect(closing([green], [])).toEqual({ lines: ['', '1 passed, 0 failed'], green: true });
    expect(closing([report], []).lines.at(-1)).toBe('2 passed, 3 failed, 1 skipped');
  });

  it('lists flakes after failures, under a heading of their own', () => {
    expect(closing([report], [flake]).lines).toEqual([
      '',
      'Failed:',
      ...failuresIn(report).map((name) => `✗ ${name}`),
      '',
      'Flaky:',
      '~ run.test.ts > a box > stops',
      '',
      '2 passed, 3 failed, 1 skipped',
    ]);
  });

  it('passes a run with flakes, and fails one with failures or without any test', () => {
    expect(closing([green], [flake]).green).toBe(true);
    expect(closing([green, report], []).green).toBe(false);
    expect(closing([], []).green).toBe(false);
  });
});
