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

/** Of the output of a failure, in the closing lines. */
const OUTPUT_LINES = 12;
const OUTPUT_COLUMNS = 200;

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

/**
 * The failures of a stage as the closing lines list them: each test by its file and titles, and an
 * error outside of tests by its file or stage. Below it stands how its output begins, since often
 * only the end of a long log is kept.
 */
export function failureLines(report: StageReport): string[] {
  return [
    ...report.files.flatMap(({ file, tests, errors }) => [
      ...tests
        .filter(({ state }) => state === 'failed')
        .flatMap(({ path, output }) => described(testName(file, path), output)),
      ...errors.flatMap((error) => described(file, error)),
    ]),
    ...report.errors.flatMap((error) => described(report.stage, error)),
  ];
}

function described(name: string, output: string): string[] {
  const lines = output.split('\n').filter((line) => line.trim() !== '');
  const head = lines.slice(0, OUTPUT_LINES).map((line) => `    ${line.slice(0, OUTPUT_COLUMNS)}`);
  return [`✗ ${name}`, ...head];
}

/** A file that is one test: a check, or a fuzz target. */
export function singleTest(name: string, seconds: number, failure: string | undefined): FileResult {
  const state = failure === undefined ? 'passed' : 'failed';
  return { file: name, seconds, tests: [{ path: [], state, output: failure ?? '' }], errors: [] };
}
