/**
 * The last lines of `npm test`, and whether it passed.
 *
 * @module
 */
import type { Flake } from './flakes.ts';
import { count, failureLines, type StageReport } from './report.ts';

export interface Closing {
  readonly lines: readonly string[];
  readonly green: boolean;
}

export function closing(reports: readonly StageReport[], flakes: readonly Flake[]): Closing {
  const { passed, failed, skipped } = count(reports);
  const tests = flakes.map(({ test }) => test);
  return {
    lines: [
      ...list('Failed:', reports.flatMap(failureLines)),
      ...list(
        'Flaky:',
        tests.map((test) => `~ ${test}`),
      ),
      '',
      `${passed} passed, ${failed} failed${skipped > 0 ? `, ${skipped} skipped` : ''}`,
    ],
    green: failed === 0 && passed > 0,
  };
}

function list(title: string, lines: readonly string[]): string[] {
  return lines.length === 0 ? [] : ['', title, ...lines];
}
