/**
 * `npm test` after its set-up: runs the stages, then once more and alone what failed on virtual machines, and closes
 * with one line that counts all tests.
 *
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArguments, UsageError } from './arguments.ts';
import { closing } from './closing.ts';
import { type Flake, reruns, type SecondRun, settle } from './flakes.ts';
import { count, type StageReport } from './report.ts';
import { type Print, REPORTS } from './run.ts';
import { STAGES, type StageName } from './stages.ts';
import { timesOf, timeTable } from './times.ts';
import { again } from './vitest.ts';

const print: Print = (text) => process.stdout.write(text);

async function runStage(name: StageName): Promise<StageReport> {
  print(`\n==> ${name}\n`);
  const started = performance.now();
  const report = await STAGES[name](print);
  const { passed, failed, skipped } = count([report]);
  const seconds = Math.round((performance.now() - started) / 1000);
  print(`    ${passed} passed, ${failed} failed, ${skipped} skipped in ${seconds} s\n`);
  return report;
}

/** Runs once more what failed, one file after the other. */
async function rerunFailures(report: StageReport) {
  const seconds = new Map<string, SecondRun>();
  for (const rerun of reruns(report)) {
    print(`\n==> ${rerun.file} once more, alone\n`);
    seconds.set(rerun.file, await again(report.stage, rerun, print));
  }
  return settle(report, seconds, { flakesFail: process.env['SOAK'] !== undefined });
}

async function main(args: readonly string[]): Promise<boolean> {
  const { stages } = parseArguments(args);
  mkdirSync(REPORTS, { recursive: true });
  const reports: StageReport[] = [];
  const flakes: Flake[] = [];
  for (const name of stages) reports.push(await runStage(name));
  for (const [index, report] of reports.entries()) {
    if (report.stage !== 'vm') continue;
    const settled = await rerunFailures(report);
    reports[index] = settled.report;
    flakes.push(...settled.flakes);
  }
  const times = timesOf(reports);
  write('times.json', times);
  write('flaky.json', flakes);
  const { lines, green } = closing(reports, flakes);
  print(`\n${[...timeTable(times), ...lines].join('\n')}\n`);
  return green;
}

function write(name: string, content: unknown): void {
  writeFileSync(join(REPORTS, name), `${JSON.stringify(content, null, 2)}\n`);
}

try {
  process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`npm test: ${error.message}\n`);
  process.exitCode = 2;
}
