/**
 * Distinguishes a test process that died from tests that failed: Node itself may abort, for example
 * by an assertion of its own.
 *
 * @module
 */
import type { FileResult, StageReport } from './report.ts';

/** What is said of a test that has neither passed nor failed. */
export const UNFINISHED = 'did not come to its end';
/** Vitest's words. */
const DIED = 'Worker exited unexpectedly';

/**
 * The report with the death of a process as an error of the files that it left unfinished, where
 * there are any.
 */
export function withCrashes({
  files,
  errors,
}: Pick<StageReport, 'files' | 'errors'>): Pick<StageReport, 'files' | 'errors'> {
  const deaths = errors.filter((error) => error.includes(DIED));
  if (deaths.length === 0 || !files.some(isUnfinished)) return { files, errors };
  return {
    files: files.map((file) =>
      isUnfinished(file) ? { ...file, errors: [...file.errors, ...deaths] } : file,
    ),
    errors: errors.filter((error) => !error.includes(DIED)),
  };
}

function isUnfinished({ tests }: FileResult): boolean {
  return tests.some(({ output }) => output === UNFINISHED);
}
