/**
 * What each stage of `npm test` runs.
 *
 * @module
 */
import { goTests } from './go.ts';
import { splitMachines } from './lanes.ts';
import type { Selection } from './reach.ts';
import type { StageReport } from './report.ts';
import type { Print } from './run.ts';
import { script } from './script.ts';
import type { StageName } from './stage-names.ts';
import { filesOf, vitest } from './vitest.ts';

/** How long each fuzzer searches. */
const FUZZ_SECONDS = Number(process.env['FUZZ_SECONDS'] ?? '1');

export interface StageOptions {
  readonly print: Print;
  readonly files: Selection;
  /** Another stage runs at the same time. */
  readonly beside: boolean;
}

type Stage = (options: StageOptions) => Promise<StageReport>;

const ofVitest =
  (project: string, ...more: readonly string[]): Stage =>
  ({ print, files, beside }) => {
    const workers = beside ? ['--maxWorkers=1'] : [];
    const chosen = files === 'all' ? [] : ['--passWithNoTests', ...files];
    return vitest(project, print, [...chosen, ...workers, ...more]);
  };

export const STAGES: Readonly<Record<StageName, Stage>> = {
  check: ({ print }) => script('check', print),
  go: ({ print }) => goTests(print, FUZZ_SECONDS),
  unit: ofVitest('unit'),
  attestation: ofVitest('attestation', '--coverage'),
  fuzz: ({ print }) => script('fuzz', print),
  host: ofVitest('host'),
  vm: async ({ print, files }) => machines('vm', splitMachines(filesOf('vm'), files).shared, print),
};

/** The files of the vm stage that run alone, at its end. */
export async function aloneFiles(files: Selection, print: Print): Promise<StageReport> {
  return await machines('vm-alone', splitMachines(filesOf('vm'), files).alone, print);
}

async function machines(
  name: string,
  files: readonly string[],
  print: Print,
): Promise<StageReport> {
  if (files.length === 0) return { stage: 'vm', files: [], errors: [] };
  return await vitest('vm', print, files, name);
}
