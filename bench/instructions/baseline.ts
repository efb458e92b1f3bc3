/**
 * The counts of the last version, which this version's counts are compared with.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { VERSION } from '../../src/cli/version.ts';
import { PARTS, type Part, STEPS, type Step } from './parts.ts';

const FILE = join(import.meta.dirname, 'baseline.json');
const ROOT = join(import.meta.dirname, '../..');

/** Medians, by step and part. */
export type Medians = Readonly<Record<Step, Readonly<Record<Part, number>>>>;

/** What executes the instructions besides our own code. */
export interface Programs {
  readonly kernel: string;
  readonly qemu: string;
  readonly node: string;
}

export interface Baseline {
  readonly version: string;
  readonly programs: Programs;
  readonly medians: Medians;
}

/** @throws Error where a step or a part has no count */
export function readBaseline(path = FILE): Baseline {
  const baseline = JSON.parse(readFileSync(path, 'utf8')) as Baseline;
  for (const step of STEPS) {
    for (const part of PARTS) {
      if (Number.isInteger(baseline.medians[step]?.[part])) continue;
      throw new Error(`${path} has no count of ${part} of ${step}`);
    }
  }
  return baseline;
}

/** What takes the place of the file when a version is released. */
export function asBaseline(medians: Medians): Baseline {
  return { version: VERSION, programs: programsHere(), medians };
}

/**
 * The programs that differ. Where one differs the counts do too, without a change of this project.
 */
export function otherPrograms(then: Programs, now: Programs): readonly string[] {
  return Object.keys(now)
    .map((key) => key as keyof Programs)
    .filter((key) => then[key] !== now[key])
    .map((key) => `${key}: ${then[key]} then, ${now[key]} now`);
}

export function programsHere(): Programs {
  const boot = JSON.parse(readFileSync(join(ROOT, 'dist/boot/boot.json'), 'utf8')) as {
    readonly kernel: { readonly version: string };
  };
  const [qemu = ''] = execFileSync('qemu-system-x86_64', ['--version'], {
    encoding: 'utf8',
  }).split('\n');
  return { kernel: boot.kernel.version, qemu, node: process.version };
}
