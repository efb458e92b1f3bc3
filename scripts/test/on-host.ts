/**
 * `npm run test:host [FILES]` after its set-up: runs test files of the vm stage on an emulated host
 * with KVM, all of them that have a sense there unless some are named, and reports them as
 * `npm test` does. A file that fails does not keep the next ones from running. With `--resume`,
 * files that passed in the last run are not run again: their results are taken from it.
 *
 * @module
 */
import { existsSync, mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { install } from '../../test/e2e/installation.ts';
import type { EmulatedHost } from '../../test/host/emulated-host.ts';
import { lastingQemu, startKvmHost, TIME_SCALE } from '../../test/host/kvm-host.ts';
import { NOT_ON_KVM } from './not-on-kvm.ts';
import { closing } from './results/closing.ts';
import { count, type StageReport } from './results/report.ts';
import { kept, passedFiles } from './results/resume.ts';
import { timesOf, timeTable } from './results/times.ts';
import { type Print, REPORTS, ROOT } from './run.ts';
import { filesOf } from './vitest.ts';

const RESUME = '--resume';
/** Of all files until now, written after each. */
const REPORTED = join(REPORTS, 'on-host.json');
/** That of a file, on the host. */
const REPORT = '/tmp/report.json';
/** Only what hangs takes so long. */
const FILE_MS = 3_600_000;

const print: Print = (text) => process.stdout.write(text);

/**
 * Runs one file, on the host as it is after its kept memory was loaded: no file sees what another
 * one left.
 */
async function onHost(file: string): Promise<StageReport> {
  const installation = await install();
  let host: EmulatedHost | undefined;
  try {
    ({ host } = await startKvmHost(installation, { keep: true, qemu: await lastingQemu() }));
    const vitest = ['node_modules/.bin/vitest', 'run', '--project', 'vm', '--reporter=default'];
    const { code } = await host.run(
      [...vitest, '--reporter=scripts/test/vitest-reporter.ts', file],
      {
        cwd: ROOT,
        env: {
          PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin',
          HOME: '/root',
          LANG: 'C.UTF-8',
          TSX_DISABLE_CACHE: '1',
          A3S_TEST_REPORT: REPORT,
          A3S_TIME_SCALE: String(TIME_SCALE),
          ...soak(),
        },
        deadlineMs: FILE_MS,
        onOutput: (chunk) => print(chunk.toString()),
      },
    );
    const { code: missing, stdout } = await host.run(['cat', REPORT]);
    if (missing !== 0) {
      return { stage: 'kvm', files: [], errors: [`${file}: vitest ended with ${code}, no report`] };
    }
    const { files, errors } = JSON.parse(stdout.toString()) as Omit<StageReport, 'stage'>;
    return { stage: 'kvm', files, errors };
  } finally {
    await host?.kill();
    installation.remove();
  }
}

/** Some files belong to the soak alone: Vitest finds them where it is one. */
function soak(): Readonly<Record<string, string>> {
  const { SOAK } = process.env;
  return SOAK === undefined ? {} : { SOAK };
}

/** What passed in the last run. */
function passedBefore(): ReadonlyMap<string, StageReport> {
  if (!existsSync(REPORTED)) return new Map();
  return passedFiles(JSON.parse(readFileSync(REPORTED, 'utf8')) as readonly StageReport[]);
}

/** A run that is ended while it writes leaves the report of before. */
function writeReports(reports: readonly StageReport[]): void {
  mkdirSync(REPORTS, { recursive: true });
  writeFileSync(`${REPORTED}.new`, `${JSON.stringify(reports, null, 2)}\n`);
  renameSync(`${REPORTED}.new`, REPORTED);
}

/** All but those that {@link NOT_ON_KVM} names, which it says. */
function filesForKvm(files: readonly string[]): readonly string[] {
  return files.filter((file) => {
    const reason = NOT_ON_KVM[file];
    if (reason !== undefined) print(`left out: ${file}: ${reason}\n`);
    return reason === undefined;
  });
}

async function main(args: readonly string[]): Promise<boolean> {
  const names = args.filter((argument) => argument !== RESUME);
  const known = filesOf('vm');
  const unknown = names.filter((name) => !known.includes(name));
  if (unknown.length > 0) throw new Error(`no files of the vm stage: ${unknown.join(', ')}`);
  const passed = args.includes(RESUME) ? passedBefore() : new Map<string, StageReport>();
  const reports: StageReport[] = [];
  for (const file of names.length === 0 ? filesForKvm(known) : names) {
    const before = passed.get(file);
    if (before !== undefined) {
      reports.push(before);
      continue;
    }
    print(`\n==> ${file}, on a host with KVM\n`);
    const report = await onHost(file).catch(
      (error: unknown): StageReport => ({ stage: 'kvm', files: [], errors: [`${file}: ${error}`] }),
    );
    const counts = count([report]);
    print(`    ${counts.passed} passed, ${counts.failed} failed\n`);
    reports.push(report);
    writeReports(kept(reports, passed));
  }
  const { lines, green } = closing(reports, []);
  print(`\n${[...timeTable(timesOf(reports)), ...lines].join('\n')}\n`);
  return green;
}

try {
  process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
} catch (error) {
  console.error(error);
  print('\n0 passed, 1 failed\n');
  process.exitCode = 1;
}
