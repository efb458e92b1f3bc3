/**
 * `npm test` after its set-up: runs the stages, then runs what failed once more and alone, and
 * closes with one line that counts all tests.
 *
 * @module
 */
import { mkdirSync, writeFileSync } from 'node:fs';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { parseArguments, UsageError } from './arguments.ts';
import { goAgain } from './go.ts';
import { runLanes } from './lane.ts';
import { Programs } from './programs.ts';
import { closing } from './results/closing.ts';
import {
  type Flake,
  mergeReruns,
  type Rerun,
  type RerunOutcome,
  reruns,
  type SecondRun,
} from './results/flakes.ts';
import type { StageReport } from './results/report.ts';
import { timesOf, timeTable } from './results/times.ts';
import { type Print, REPORTS } from './run.ts';
import { planOf } from './selection/changed.ts';
import { EVERYTHING, type Plan } from './selection/reach.ts';
import type { StageName } from './stage-names.ts';
import { again } from './vitest.ts';

const print: Print = (text) => process.stdout.write(text);

/** Runs once more what failed of a stage, with nothing beside it. */
async function runFailedAgain(report: StageReport): Promise<RerunOutcome> {
  const seconds = new Map<string, SecondRun>();
  for (const rerun of reruns(report)) {
    const runAgain = secondRun(report.stage, rerun);
    if (runAgain === undefined) continue;
    print(`\n==> ${rerun.file} once more, alone\n`);
    seconds.set(rerun.file, await runAgain());
  }
  return mergeReruns(report, seconds, { flakesFail: process.env['SOAK'] !== undefined });
}

/** Undefined for checks, and for fuzzers: what one of these found once is found. */
function secondRun(stage: string, rerun: Rerun): (() => Promise<SecondRun>) | undefined {
  if (stage === 'check' || stage === 'fuzz') return undefined;
  return stage === 'go' ? goAgain(rerun, print) : () => again(stage, rerun, print);
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
  const programs = Programs.start(reached, print);
  try {
    return await runAll(reached, plan, programs);
  } finally {
    await programs.remove();
  }
}

async function runAll(
  stages: readonly StageName[],
  plan: Plan,
  programs: Programs,
): Promise<boolean> {
  const reports = await runLanes(stages, plan, {
    print,
    processors: availableParallelism(),
    programs,
  });
  const flakes: Flake[] = [];
  for (const [index, report] of reports.entries()) {
    const outcome = await runFailedAgain(report);
    reports[index] = outcome.report;
    flakes.push(...outcome.flakes);
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
    // A reader who reads the last line alone has to see it too.
    console.error(error);
    print('\n0 passed, 1 failed\n');
    process.exitCode = 1;
  }
}
