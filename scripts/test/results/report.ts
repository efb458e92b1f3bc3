/**
 * The result of a stage of `npm test`: its files, and the tests in them. A check, a Go package and
 * a fuzz target are files too.
 *
 * @module
 */

export interface TestResult {
  /** The titles of its suites, then its own. */
  readonly path: readonly string[];
  readonly state: 'passed' | 'failed' | 'skipped';
  /** What it printed, and why it failed; empty when it passed. */
  readonly output: string;
}

export interface FileResult {
  /** Relative to the root of the checkout, or the name of a package or target. */
  readonly file: string;
  /** From its import to the end of its last hook. */
  readonly seconds: number;
  readonly tests: readonly TestResult[];
  /** Failures outside any test: the file does not load, or a hook failed. */
  readonly errors: readonly string[];
}

export interface StageReport {
  readonly stage: string;
  readonly files: readonly FileResult[];
  /** Failures that belong to no file. */
  readonly errors: readonly string[];
}

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

/** Errors outside of tests count as failures: a hook that failed skips the tests of its suite. */
export function count(reports: readonly StageReport[]): Counts {
  const counts = { passed: 0, failed: 0, skipped: 0 };
  for (const report of reports) {
    counts.failed += report.errors.length;
    for (const file of report.files) {
      counts.failed += file.errors.length;
      for (const test of file.tests) counts[test.state] += 1;
    }
  }
  return counts;
}

export function testName(file: string, path: readonly string[]): string {
  return [file, ...path].join(' > ');
}

/** Each failed test by its file and titles; a file with an error outside its tests, by itself. */
export function failuresIn(report: StageReport): string[] {
  return [
    ...report.files.flatMap(({ file, tests, errors }) => [
      ...tests.filter(({ state }) => state === 'failed').map(({ path }) => testName(file, path)),
      ...errors.map((error) => `${file}: ${firstLine(error)}`),
    ]),
    ...report.errors.map((error) => `${report.stage}: ${firstLine(error)}`),
  ];
}

function firstLine(text: string): string {
  return text.split('\n', 1)[0] ?? '';
}

/** A file that is one test: a check, or a fuzz target. */
export function singleTest(name: string, seconds: number, failure: string | undefined): FileResult {
  const state = failure === undefined ? 'passed' : 'failed';
  return { file: name, seconds, tests: [{ path: [], state, output: failure ?? '' }], errors: [] };
}
