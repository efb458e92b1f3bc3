import { describe, expect, it } from 'vitest';
import { closing } from './closing.ts';
import { count, failureLines, type StageReport, singleTest } from './report.ts';

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

  it('names each failure, and says how its output begins', () => {
    expect(failureLines(report)).toEqual([
      '✗ test/e2e/run.test.ts > a box > stops',
      '    timed out',
      '✗ test/e2e/run.test.ts',
      '    Error: a process is left',
      '        at afterAll',
      '✗ vm',
      '    vitest ended with 1',
    ]);
  });

  it('names a check that failed by its title', () => {
    const check = singleTest('types', 3, 'error TS2322');
    const lines = ['✗ types', '    error TS2322'];
    expect(failureLines({ stage: 'check', files: [check], errors: [] })).toEqual(lines);
  });

  it('shows 12 lines of a long output, and 200 columns of each', () => {
    const check = singleTest('types', 3, `\n${`${'x'.repeat(300)}\n`.repeat(40)}`);
    const [, ...shown] = failureLines({ stage: 'check', files: [check], errors: [] });
    expect(shown).toEqual(Array.from({ length: 12 }, () => `    ${'x'.repeat(200)}`));
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
      ...failureLines(report),
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
