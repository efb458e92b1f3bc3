import { describe, expect, it } from 'vitest';
import { mergeReruns, namePattern, reruns, type SecondRun } from './flakes.ts';
import type { FileResult, StageReport, TestResult } from './report.ts';

const GREEN = { flakesFail: false };

function result(title: string, state: TestResult['state'], output = ''): TestResult {
  return { path: ['a box', title], state, output };
}

function file(name: string, tests: readonly TestResult[], errors: readonly string[] = []) {
  return { file: name, seconds: 1, tests, errors } satisfies FileResult;
}

function stage(...files: readonly FileResult[]): StageReport {
  return { stage: 'vm', files, errors: [] };
}

function second(...files: readonly FileResult[]): ReadonlyMap<string, SecondRun> {
  return new Map(
    files.map((one) => [one.file, { report: stage(one), output: `printed by ${one.file}` }]),
  );
}

const failed = stage(
  file('run.test.ts', [
    result('starts', 'passed'),
    result('stops', 'failed', 'timed out'),
    result('goes', 'passed'),
  ]),
  file('logs.test.ts', [result('prints', 'passed')]),
);

describe('the failures that run again', () => {
  it('reruns the failed tests of each file with those before them, which they may depend on', () => {
    const tests = [
      ['a box', 'starts'],
      ['a box', 'stops'],
    ];
    expect(reruns(failed)).toEqual([{ file: 'run.test.ts', tests }]);
  });

  it('reruns all tests of a file whose hook failed, since those of its suite never ran', () => {
    const report = stage(
      file('run.test.ts', [result('starts', 'skipped')], ['beforeAll: no boot']),
    );
    expect(reruns(report)).toEqual([{ file: 'run.test.ts', tests: 'all' }]);
  });

  it('reruns nothing when every test passed', () => {
    expect(reruns(stage(file('run.test.ts', [result('starts', 'passed')])))).toEqual([]);
  });
});

describe('a test that failed and ran again', () => {
  const passes = second(
    file('run.test.ts', [result('starts', 'failed'), result('stops', 'passed')]),
  );

  it('counts a failed test as passed when its rerun passes, and lists both outputs as a flake', () => {
    const outcome = mergeReruns(failed, passes, GREEN);
    const states = outcome.report.files[0]?.tests.map(({ state }) => state);
    expect(states).toEqual(['passed', 'passed', 'passed']);
    expect(outcome.report.files[1]).toBe(failed.files[1]);
    // The test before it passed first and failed in the rerun, so it is a flake as well.
    expect(outcome.flakes).toEqual([
      { test: 'run.test.ts > a box > starts', first: '', second: 'printed by run.test.ts' },
      {
        test: 'run.test.ts > a box > stops',
        first: 'timed out',
        second: 'printed by run.test.ts',
      },
    ]);
  });

  it('keeps a flaky test failed in a soak, and lists it as a flake', () => {
    const outcome = mergeReruns(failed, passes, { flakesFail: true });
    expect(outcome.report).toEqual(failed);
    expect(outcome.flakes.map(({ test }) => test)).toContain('run.test.ts > a box > stops');
  });

  it('keeps a test failed when its rerun fails', () => {
    const again = second(file('run.test.ts', [result('stops', 'failed', 'timed out again')]));
    const outcome = mergeReruns(failed, again, GREEN);
    expect(outcome.report.files[0]?.tests[1]).toEqual(result('stops', 'failed', 'timed out again'));
    expect(outcome.flakes).toEqual([]);
  });

  it('keeps a test failed when its rerun is skipped, missing or left no report', () => {
    for (const again of [
      second(file('run.test.ts', [result('stops', 'skipped')])),
      second(file('run.test.ts', [])),
      new Map([['run.test.ts', { report: stage(), output: '' }]]),
    ]) {
      const outcome = mergeReruns(failed, again, GREEN);
      expect(outcome.report.files[0]?.tests[1]?.state).toBe('failed');
      expect(outcome.flakes).toEqual([]);
    }
  });

  it('keeps a test failed when one of two tests with its titles fails again', () => {
    const again = second(
      file('run.test.ts', [result('stops', 'passed'), result('stops', 'failed')]),
    );
    expect(mergeReruns(failed, again, GREEN).flakes).toEqual([]);
  });

  it('keeps the run failed when a hook fails in the rerun of a test', () => {
    const again = second(file('run.test.ts', [result('stops', 'passed')], ['afterAll: a leak']));
    expect(mergeReruns(failed, again, GREEN).report.files[0]?.errors).toEqual(['afterAll: a leak']);
  });

  it('keeps the run failed when the rerun has an error that belongs to no file', () => {
    const again: SecondRun = {
      report: { stage: 'vm', files: [], errors: ['no report'] },
      output: '',
    };
    const outcome = mergeReruns(failed, new Map([['run.test.ts', again]]), GREEN);
    expect(outcome.report.errors).toEqual(['no report']);
  });
});

describe('a file whose hook failed', () => {
  const first = stage(
    file('run.test.ts', [result('starts', 'skipped'), result('stops', 'passed')], ['no boot']),
  );

  it('lists a failed hook as a flake when its whole file passes, and counts the tests', () => {
    const passes = file('run.test.ts', [result('starts', 'passed'), result('stops', 'passed')]);
    const outcome = mergeReruns(first, second(passes), GREEN);
    expect(outcome.report.files[0]).toMatchObject({ errors: [], tests: passes.tests });
    expect(outcome.flakes).toEqual([
      { test: 'run.test.ts', first: 'no boot', second: 'printed by run.test.ts' },
    ]);
  });

  it('keeps a failed hook failed when another test of its file fails in the rerun', () => {
    const again = file('run.test.ts', [result('starts', 'passed'), result('stops', 'failed')]);
    expect(mergeReruns(first, second(again), GREEN).report.files[0]?.tests[1]?.state).toBe(
      'failed',
    );
  });
});

describe('a file that did not load', () => {
  const first = stage(file('run.test.ts', [], ['cannot load']));

  it('counts the tests of the rerun when a file that did not load loads then', () => {
    const loads = file('run.test.ts', [result('starts', 'passed'), result('stops', 'failed')]);
    const outcome = mergeReruns(first, second(loads), GREEN);
    expect(outcome.report.files[0]).toMatchObject({ errors: [], tests: loads.tests });
  });

  it('keeps a file failed that does not load again', () => {
    const outcome = mergeReruns(first, second(file('run.test.ts', [], ['cannot load'])), GREEN);
    expect(outcome.report.files[0]?.errors).toEqual(['cannot load']);
    expect(outcome.flakes).toEqual([]);
  });
});

describe('the pattern of names', () => {
  it('matches the titles joined by spaces, wholly and with their punctuation', () => {
    const pattern = new RegExp(namePattern([['a box (of root)', 'costs 1+1'], ['starts']]));
    expect('a box (of root) costs 1+1').toMatch(pattern);
    expect('starts').toMatch(pattern);
    expect('a box (of root) costs 1+1 more').not.toMatch(pattern);
    expect('it starts').not.toMatch(pattern);
  });
});
