/**
 * `npm test` after its set-up: runs the stages, then once more and alone what failed with real programs, and closes with
 * one line that counts all tests.
 *
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { installForAll } from '../../test/e2e/installation.ts';
import { parseArguments, UsageError } from './arguments.ts';
import { planOf } from './changed.ts';
import { closing } from './closing.ts';
import { type Flake, reruns, type SecondRun, type Settled, settle } from './flakes.ts';
import { lanesOf } from './lanes.ts';
import { EVERYTHING, type Plan } from './reach.ts';
import { count, type StageReport } from './report.ts';
import { type Print, REPORTS } from './run.ts';
import type { StageName } from './stage-names.ts';
import { aloneFiles, STAGES } from './stages.ts';
import { timesOf, timeTable } from './times.ts';
import { again } from './vitest.ts';

/** There, real programs wait for each other and for kernels, and a test may fail now and then. */
const REAL_PROGRAMS: readonly string[] = ['host', 'vm'];

const print: Print = (text) => process.stdout.write(text);

/** Runs stages one after the other. Beside another lane, each is printed when it has ended. */
async function runLane(names: readonly StageName[], plan: Plan, beside: boolean) {
  const reports: StageReport[] = [];
  for (const name of names) {
    const printed: string[] = [];
    const say: Print = beside ? (text) => printed.push(text) : print;
    say(`\n==> ${name}\n`);
    const files = plan[name] ?? [];
    reports.push(await timed(name, say, () => STAGES[name]({ print: say, files, beside })));
    print(printed.join(''));
  }
  return reports;
}

/** A stage that cannot run has failed, and the other lane goes on. */
async function timed(stage: StageName, say: Print, run: () => Promise<StageReport>) {
  const started = performance.now();
  const report = await run().catch(
    (error: unknown): StageReport => ({ stage, files: [], errors: [String(error)] }),
  );
  const { passed, failed, skipped } = count([report]);
  const seconds = Math.round((performance.now() - started) / 1000);
  say(`    ${passed} passed, ${failed} failed, ${skipped} skipped in ${seconds} s\n`);
  return report;
}

/** With the files that have the machine to themselves, now that nothing is beside them. */
async function withAlone(report: StageReport, plan: Plan): Promise<StageReport> {
  print('\n==> vm, alone\n');
  const alone = await timed('vm', print, () => aloneFiles(plan.vm ?? [], print));
  return {
    ...report,
    files: [...report.files, ...alone.files],
    errors: [...report.errors, ...alone.errors],
  };
}

/** Runs once more what failed of a stage, with nothing beside it. */
async function judged(report: StageReport): Promise<Settled> {
  const seconds = new Map<string, SecondRun>();
  for (const rerun of reruns(report)) {
    print(`\n==> ${rerun.file} once more, alone\n`);
    seconds.set(rerun.file, await again(report.stage, rerun, print));
  }
  return settle(report, seconds, { flakesFail: process.env['SOAK'] !== undefined });
}

function write(name: string, content: unknown): void {
  writeFileSync(join(REPORTS, name), `${JSON.stringify(content, null, 2)}\n`);
}

async function main(args: readonly string[]): Promise<boolean> {
  const { stages, changedSince } = parseArguments(args);
  const plan = changedSince === undefined ? EVERYTHING : planOf(changedSince);
  const reached = stages.filter((name) => (plan[name] ?? []).length > 0);
  if (reached.length === 0) {
    print('\nNothing of it is reached by the change.\n\n0 passed, 0 failed\n');
    return true;
  }
  mkdirSync(REPORTS, { recursive: true });
  const installed = reached.some((name) => REAL_PROGRAMS.includes(name));
  const installation = installed ? await installForAll() : undefined;
  try {
    return await runAll(reached, plan);
  } finally {
    installation?.remove();
  }
}

async function runAll(stages: readonly StageName[], plan: Plan): Promise<boolean> {
  const { front, beside } = lanesOf(stages, availableParallelism());
  const [first, second] = await Promise.all([
    runLane(front, plan, false),
    runLane(beside, plan, true),
  ]);
  const reports: StageReport[] = [];
  for (const report of [...second, ...first]) {
    reports.push(report.stage === 'vm' ? await withAlone(report, plan) : report);
  }
  const flakes: Flake[] = [];
  for (const [index, report] of reports.entries()) {
    if (!REAL_PROGRAMS.includes(report.stage)) continue;
    const settled = await judged(report);
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

try {
  process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
} catch (error) {
  if (error instanceof UsageError) {
    process.stderr.write(`npm test: ${error.message}\n`);
    process.exitCode = 2;
  } else {
    // Whoever reads the last line alone has to see it too.
    console.error(error);
    print('\n0 passed, 1 failed\n');
    process.exitCode = 1;
  }
}
