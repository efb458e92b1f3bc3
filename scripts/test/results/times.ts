/**
 * The time of each test file: where a run's time goes.
 *
 * @module
 */
import type { StageReport } from './report.ts';

export interface FileTime {
  readonly stage: string;
  readonly file: string;
  readonly seconds: number;
  readonly tests: number;
}

/** Slowest first. */
export function timesOf(reports: readonly StageReport[]): FileTime[] {
  return reports
    .flatMap(({ stage, files }) =>
      files.map(({ file, seconds, tests }) => ({
        stage,
        file,
        seconds: Math.round(seconds * 1000) / 1000,
        tests: tests.length,
      })),
    )
    .toSorted((one, other) => other.seconds - one.seconds);
}

/** A row for each file of a second or more, and one for all the others. */
export function timeTable(times: readonly FileTime[]): string[] {
  const slow = times.filter(({ seconds }) => seconds >= 1);
  const quick = times.slice(slow.length);
  const rows = slow.map(({ stage, file, seconds, tests }) =>
    row(seconds.toFixed(1), String(tests), stage, file),
  );
  if (quick.length > 0) {
    const seconds = quick.reduce((sum, time) => sum + time.seconds, 0);
    const tests = quick.reduce((sum, time) => sum + time.tests, 0);
    const rest = `${quick.length} ${slow.length > 0 ? 'others' : 'files'}, none of a second`;
    rows.push(row(seconds.toFixed(1), String(tests), '', rest));
  }
  return rows.length === 0 ? [] : [row('seconds', 'tests', 'stage', 'file'), ...rows];
}

function row(seconds: string, tests: string, stage: string, file: string): string {
  return `${seconds.padStart(8)}  ${tests.padStart(5)}  ${stage.padEnd(11)}  ${file}`;
}
