/**
 * The stages of `npm test`, in their order.
 *
 * @module
 */
import { goTests } from './go.ts';
import type { StageReport } from './report.ts';
import type { Print } from './run.ts';
import { script } from './script.ts';
import { vitest } from './vitest.ts';

/** How long each fuzzer searches. */
const FUZZ_SECONDS = Number(process.env['FUZZ_SECONDS'] ?? '1');

export const STAGES = {
  check: (print) => script('check', print),
  go: (print) => goTests(print, FUZZ_SECONDS),
  unit: (print) => vitest('unit', print),
  attestation: (print) => vitest('attestation', print, ['--coverage']),
  fuzz: (print) => script('fuzz', print),
  vm: (print) => vitest('vm', print),
} satisfies Readonly<Record<string, (print: Print) => Promise<StageReport>>>;

export type StageName = keyof typeof STAGES;

export const STAGE_NAMES = Object.keys(STAGES) as readonly StageName[];
