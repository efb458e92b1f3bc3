/**
 * The commands of each stage of `npm test`.
 *
 * @module
 */
import { goTests } from './go.ts';
import { batchesOf, splitVmStage } from './lanes.ts';
import type { StageReport } from './results/report.ts';
import type { Print } from './run.ts';
import { script } from './script.ts';
import type { Selection } from './selection/reach.ts';
import type { StageName } from './stage-names.ts';
import { filesOf, vitest } from './vitest.ts';

/** How long each fuzzer searches; its seeds alone run where that is 0. */
const FUZZ_SECONDS = Number(process.env['FUZZ_SECONDS'] ?? '0');

export interface StageOptions {
  readonly print: Print;
  readonly files: Selection;
}

type Stage = (options: StageOptions) => Promise<StageReport>;

const ofVitest =
  (project: string, ...more: readonly string[]): Stage =>
  ({ print, files }) => {
    const chosen = files === 'all' ? [] : ['--passWithNoTests', ...files];
    return vitest(project, print, [...chosen, ...more]);
  };

/** Every stage except the VM stage, which is cut in parts. */
export const STAGES: Readonly<Record<Exclude<StageName, 'vm'>, Stage>> = {
  check: ({ print }) => script('check', print),
  go: ({ print }) => goTests(print, FUZZ_SECONDS),
  unit: ofVitest('unit'),
  attestation: ofVitest('attestation', '--coverage'),
  fuzz: ({ print }) => script('fuzz', print),
  host: ofVitest('host'),
  kvm: ofVitest('kvm'),
};

/** The vm stage: parts that each run beside others, and the files that run alone, at its end. */
export interface VmStage {
  readonly batches: string[][];
  readonly alone: readonly string[];
}

export function vmStageOf(files: Selection): VmStage {
  const { shared, alone } = splitVmStage(filesOf('vm'), files);
  return { batches: batchesOf(shared), alone };
}

/**
 * Runs some files of the vm stage; `lane` tells their report from one that is written meanwhile.
 */
export async function runVmStage(
  lane: string,
  files: readonly string[],
  print: Print,
): Promise<StageReport> {
  if (files.length === 0) return { stage: 'vm', files: [], errors: [] };
  return await vitest('vm', print, files, `vm-${lane}`);
}
