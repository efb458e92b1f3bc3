/**
 * Goes on with a run that tests one file after the other.
 *
 * @module
 */
import { closing } from './closing.ts';
import type { StageReport } from './report.ts';

/** Of the reports of a run, those of files that passed whole, by their files. */
export function passedFiles(reports: readonly StageReport[]): ReadonlyMap<string, StageReport> {
  return new Map(
    reports
      .filter((report) => closing([report], []).green)
      .flatMap((report) => report.files.map(({ file }): [string, StageReport] => [file, report])),
  );
}

/**
 * What a run leaves for the next one that goes on with it: its own reports until now, and those of
 * the run before whose files it has not come to.
 */
export function kept(
  reports: readonly StageReport[],
  before: ReadonlyMap<string, StageReport>,
): readonly StageReport[] {
  const own = new Set(reports.flatMap(({ files }) => files.map(({ file }) => file)));
  return [
    ...reports,
    ...[...before].filter(([file]) => !own.has(file)).map(([, report]) => report),
  ];
}
