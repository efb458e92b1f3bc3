/**
 * `npm test` after its set-up: runs the stages and closes with one line that counts all tests.
 *
 * @module
 */
import { mkdirSync } from 'node:fs';
import { parseArguments, UsageError } from './arguments.ts';
import { closing } from './closing.ts';
import { count, type StageReport } from './report.ts';
import { type Print, REPORTS } from './run.ts';
import { STAGES, type StageName } from './stages.ts';

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

async function main(args: readonly string[]): Promise<boolean> {
  const { stages } = parseArguments(args);
  mkdirSync(REPORTS, { recursive: true });
  const reports: StageReport[] = [];
  for (const name of stages) reports.push(await runStage(name));
  const { lines, green } = closing(reports);
  print(`${lines.join('\n')}\n`);
  return green;
}

try {
  process.exitCode = (await main(process.argv.slice(2))) ? 0 : 1;
} catch (error) {
  if (!(error instanceof UsageError)) throw error;
  process.stderr.write(`npm test: ${error.message}\n`);
  process.exitCode = 2;
}
