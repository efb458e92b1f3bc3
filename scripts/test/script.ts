/**
 * A stage that is a script of its own, which writes its results to the file after `--report`.
 *
 * @module
 */
import { existsSync, mkdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { type StageReport, singleTest } from './results/report.ts';
import { type Print, REPORTS, ROOT, run } from './run.ts';

interface ScriptResult {
  readonly name: string;
  readonly seconds: number;
  /** What it printed, if it failed. */
  readonly failure?: string;
}

export async function script(stage: string, print: Print): Promise<StageReport> {
  const path = join(REPORTS, `${stage}.json`);
  mkdirSync(REPORTS, { recursive: true });
  rmSync(path, { force: true });
  const file = join(ROOT, `scripts/${stage}.mjs`);
  const code = await run({ argv: [process.execPath, file, `--report=${path}`] }, print);
  if (!existsSync(path)) {
    return { stage, files: [], errors: [`ended with ${code} and left no report`] };
  }
  const results = JSON.parse(readFileSync(path, 'utf8')) as readonly ScriptResult[];
  const files = results.map(({ name, seconds, failure }) => singleTest(name, seconds, failure));
  const failed = results.some(({ failure }) => failure !== undefined);
  return { stage, files, errors: code !== 0 && !failed ? [`ended with ${code}`] : [] };
}
