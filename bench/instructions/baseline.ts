/**
 * The counts of the last version, which those of this one are compared with.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as z from 'zod';
import { VERSION } from '../../src/cli/version.ts';
import { PARTS, type Part, STEPS, type Step } from './parts.ts';

const FILE = join(import.meta.dirname, 'baseline.json');
const ROOT = join(import.meta.dirname, '../..');

/** Medians, by step and part. */
export type Medians = Readonly<Record<Step, Readonly<Record<Part, number>>>>;

/** What executes the instructions besides our own code. */
const Programs = z.strictObject({ kernel: z.string(), qemu: z.string(), node: z.string() });
export type Programs = z.infer<typeof Programs>;

const Baseline = z.strictObject({
  version: z.string(),
  programs: Programs,
  medians: z.record(z.enum(STEPS), z.record(z.enum(PARTS), z.int())),
});
export type Baseline = z.infer<typeof Baseline>;

export function readBaseline(path = FILE): Baseline {
  return Baseline.parse(JSON.parse(readFileSync(path, 'utf8')));
}

/** What takes the place of the file when a version is released. */
export function asBaseline(medians: Medians): Baseline {
  return { version: VERSION, programs: programsHere(), medians };
}

/** The programs that differ: where one does, so do the counts, whatever this project did. */
export function otherPrograms(then: Programs, now: Programs): readonly string[] {
  return Object.keys(now)
    .map((key) => key as keyof Programs)
    .filter((key) => then[key] !== now[key])
    .map((key) => `${key}: ${then[key]} then, ${now[key]} now`);
}

export function programsHere(): Programs {
  const boot = z
    .object({ kernel: z.object({ version: z.string() }) })
    .parse(JSON.parse(readFileSync(join(ROOT, 'dist/boot/boot.json'), 'utf8')));
  const [qemu = ''] = execFileSync('qemu-system-x86_64', ['--version'], {
    encoding: 'utf8',
  }).split('\n');
  return { kernel: boot.kernel.version, qemu, node: process.version };
}
