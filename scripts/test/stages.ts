/**
 * What each stage of `npm test` runs.
 *
 * @module
 */
import { goTests } from './go.ts';
import type { Selection } from './reach.ts';
import type { StageReport } from './report.ts';
import type { Print } from './run.ts';
import { script } from './script.ts';
import type { StageName } from './stage-names.ts';
import { vitest } from './vitest.ts';

/** How long each fuzzer searches. */
const FUZZ_SECONDS = Number(process.env['FUZZ_SECONDS'] ?? '1');

/** What measures processors, disks or memory of the host, or takes all of them: these have the machine to themselves. */
export const ALONE: readonly string[] = ['resources', 'hostile-guest', 'gates'].map(
  (name) => `test/e2e/${name}.test.ts`,
);

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
  vm: ofVitest('vm', ...ALONE.map((file) => `--exclude=${file}`)),
};

/** The files of the vm stage that run alone, at its end. */
export async function aloneFiles(files: Selection, print: Print): Promise<StageReport> {
  const chosen =
    files === 'all' ? ALONE : ALONE.filter((file) => files.some((path) => file.startsWith(path)));
  if (chosen.length === 0) return { stage: 'vm', files: [], errors: [] };
  return await vitest('vm', print, chosen, 'vm-alone');
}
