/**
 * Distinguishes flakes from failures: a failed test runs once more, alone, and is a flake when it
 * passes then.
 *
 * @module
 */
import { type FileResult, type StageReport, type TestResult, testName } from './report.ts';

/** The tests of one file that run again. */
export interface Rerun {
  readonly file: string;
  /**
   * The titles of the failed tests, and of those before them, which they may build on; all of the
   * file's when something outside its tests failed.
   */
  readonly tests: readonly (readonly string[])[] | 'all';
}

export interface SecondRun {
  readonly report: StageReport;
  /** All that it printed. */
  readonly output: string;
}

export interface Flake {
  readonly test: string;
  readonly first: string;
  readonly second: string;
}

/** Errors that belong to no file have nothing that could run again: they stay failures. */
export function reruns(report: StageReport): Rerun[] {
  return report.files.flatMap(({ file, tests, errors }): Rerun[] => {
    if (errors.length > 0) return [{ file, tests: 'all' }];
    const last = tests.findLastIndex(({ state }) => state === 'failed');
    return last < 0 ? [] : [{ file, tests: tests.slice(0, last + 1).map(({ path }) => path) }];
  });
}

export interface RerunOutcome {
  readonly report: StageReport;
  readonly flakes: readonly Flake[];
}

/**
 * The report with the results of the second runs in it, by the file that each ran. With
 * `flakesFail`, the first results stand: a soak looks for what goes wrong now and then.
 */
export function mergeReruns(
  report: StageReport,
  seconds: ReadonlyMap<string, SecondRun>,
  { flakesFail }: { readonly flakesFail: boolean },
): RerunOutcome {
  const flakes: Flake[] = [];
  const files = report.files.map((first) => {
    const second = seconds.get(first.file);
    if (second === undefined) return first;
    const merged = mergeFile(first, second.report);
    flakes.push(...flakesOf(first, merged, second));
    return flakesFail ? first : merged;
  });
  const errors = [...seconds.values()].flatMap((second) => second.report.errors);
  return { report: { ...report, files, errors: [...report.errors, ...errors] }, flakes };
}

function mergeFile(first: FileResult, { files }: StageReport): FileResult {
  const second = files.find(({ file }) => file === first.file);
  // The second run did not come to this file: its errors say why, and the first result stands.
  if (second === undefined) return first;
  const tests =
    first.errors.length > 0
      ? [...second.tests, ...first.tests.filter((test) => stillFailed(test, second))]
      : first.tests.map((test) => (test.state === 'failed' ? secondResult(test, second) : test));
  return { ...first, errors: second.errors, tests };
}

/** Failed in the first run, and not run in the second. */
function stillFailed(test: TestResult, { tests }: FileResult): boolean {
  return test.state === 'failed' && tests.every(({ path }) => !sameTest(path, test.path));
}

function sameTest(one: readonly string[], other: readonly string[]): boolean {
  return testName('', one) === testName('', other);
}

function secondResult(first: TestResult, { tests }: FileResult): TestResult {
  const same = tests.filter(({ path }) => sameTest(path, first.path));
  const failed = same.find(({ state }) => state === 'failed');
  return failed ?? same.find(({ state }) => state === 'passed') ?? first;
}

/** What failed in one of the two runs alone. */
function flakesOf(first: FileResult, merged: FileResult, second: SecondRun): Flake[] {
  const ran = second.report.files.find(({ file }) => file === first.file);
  const flaky = (test: TestResult): boolean => {
    const state = merged.tests.find(({ path }) => sameTest(path, test.path))?.state;
    if (test.state === 'failed') return state === 'passed';
    return (
      test.state === 'passed' &&
      state === 'passed' &&
      ran !== undefined &&
      secondResult(test, ran).state === 'failed'
    );
  };
  const tests = first.tests.filter(flaky).map(({ path, output }) => ({
    test: testName(first.file, path),
    first: output,
    second: second.output,
  }));
  const recovered = first.errors.length > 0 && merged.errors.length === 0;
  if (!recovered) return tests;
  return [...tests, { test: first.file, first: first.errors.join('\n'), second: second.output }];
}

/** For Vitest's `-t`, which compares with the titles joined by spaces. */
export function namePattern(tests: readonly (readonly string[])[]): string {
  const names = tests.map((path) => path.join(' ').replaceAll(/[.*+?^${}()|[\]\\/]/g, '\\$&'));
  return `^ *(${names.join('|')})$`;
}
