/**
 * Runs a project of Vitest, or a part of it.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join, relative } from 'node:path';
import { stripVTControlCharacters } from 'node:util';
import { namePattern, type Rerun, type SecondRun } from './results/flakes.ts';
import type { StageReport } from './results/report.ts';
import { type Print, REPORTS, ROOT, run } from './run.ts';

const VITEST = join(ROOT, 'node_modules/.bin/vitest');
const REPORTER = join(import.meta.dirname, 'vitest-reporter.ts');

/** The test files of a project, and of its part whose files have a process each. */
export function filesOf(project: string, ...options: readonly string[]): readonly string[] {
  const args = ['list', '--filesOnly', '--json', '--project', `${project}*`, ...options];
  const listed = execFileSync(VITEST, args, {
    cwd: ROOT,
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const files = JSON.parse(listed.slice(listed.indexOf('['))) as readonly { file: string }[];
  return files.map(({ file }) => relative(ROOT, file));
}

/** `name` is that of the report's file. */
export async function vitest(
  project: string,
  print: Print,
  options: readonly string[] = [],
  name = project,
): Promise<StageReport> {
  const path = join(REPORTS, `${name}.json`);
  mkdirSync(REPORTS, { recursive: true });
  rmSync(path, { force: true });
  const code = await run(
    {
      argv: [
        VITEST,
        ...['run', '--project', `${project}*`, '--reporter=default', `--reporter=${REPORTER}`],
        ...options,
      ],
      env: {
        NODE_EXTRA_CA_CERTS: '',
        // Programs that tests run from their source leave no compiled ones behind.
        TSX_DISABLE_CACHE: '1',
        A3S_TEST_REPORT: path,
      },
    },
    print,
  );
  const ended = `vitest ended with ${code}`;
  if (!existsSync(path)) {
    return { stage: project, files: [], errors: [`${ended} and left no report`] };
  }
  return withoutSilentFailure({ ...readReport(path), stage: project }, code, ended);
}

function readReport(path: string): Omit<StageReport, 'stage'> {
  return JSON.parse(readFileSync(path, 'utf8')) as Omit<StageReport, 'stage'>;
}

/** Whatever else fails a run of Vitest, like a threshold of coverage, fails the stage. */
function withoutSilentFailure(report: StageReport, code: number, ended: string): StageReport {
  const explained =
    report.errors.length > 0 ||
    report.files.some(
      ({ tests, errors }) => errors.length > 0 || tests.some(({ state }) => state === 'failed'),
    );
  return code === 0 || explained
    ? report
    : { ...report, errors: [`${ended} without a failed test`] };
}

/** Runs again what failed, with nothing beside it. */
export async function again(
  project: string,
  rerun: Rerun,
  print: Print,
  options: readonly string[] = [],
): Promise<SecondRun> {
  const printed: string[] = [];
  const report = await vitest(
    project,
    (text) => {
      printed.push(text);
      print(text);
    },
    [rerun.file, ...options, ...(rerun.tests === 'all' ? [] : ['-t', namePattern(rerun.tests)])],
    `${project}-again`,
  );
  return { report, output: stripVTControlCharacters(printed.join('')) };
}
