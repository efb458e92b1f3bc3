/**
 * A confidential box, simulated, from the command line to its end, against plain QEMU that boots
 * the same firmware and kernel into a program that powers off; and the memory that its agent takes
 * more than a plain box's.
 *
 * @module
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { readBootSet } from '../../../src/boot/bootset.ts';
import type { Actor } from '../../../test/e2e/actor.ts';
import { BUSYBOX } from '../../../test/e2e/installation.ts';
import type { Asked, Benchmark } from '../../benchmark.ts';
import { confidentialOptions } from '../../confidential-place.ts';
import { inTurns } from '../../in-turns.ts';
import { noopInitrd } from '../../peers/noop-initrd.ts';
import { bootPlainly, plainConfidential } from '../../peers/plain-confidential.ts';
import { chosenAccelerator } from '../../peers/plain-qemu.ts';
import { type BenchmarkResult, compared, timed } from '../../statistics.ts';
import { withActor } from '../../with-actor.ts';

/** A boot is long. */
const MOST_SAMPLES = 10;
const NOTHING = ['--rm', '--network', 'none'];

/** MiB that are in use in the guest while nothing but its agent and one small program runs. */
async function inUse(actor: Actor, options: readonly string[]): Promise<number> {
  const table = await actor.ok(['run', ...NOTHING, ...options, BUSYBOX, 'cat', '/proc/meminfo']);
  return mebibytes('MemTotal', table) - mebibytes('MemAvailable', table);
}

function mebibytes(name: string, table: string): number {
  const [, value] = new RegExp(`^${name}:\\s+(\\d+) kB$`, 'm').exec(table) ?? [];
  if (value === undefined) throw new Error(`the guest has no ${name}`);
  return Number(value) / 1024;
}

async function boots(asked: Asked, actor: Actor, root: string): Promise<BenchmarkResult> {
  const directory = mkdtempSync(join(tmpdir(), 'a3s-plain-'));
  try {
    const { confidential } = await readBootSet(join(root, 'dist/boot'));
    if (confidential === undefined) throw new Error('the boot set is for plain boxes alone');
    const plain = plainConfidential(confidential, noopInitrd(directory), directory);
    const options = confidentialOptions(actor);
    const ours = ['run', ...NOTHING, ...options, BUSYBOX, 'true'];
    // The first start chooses what both run on.
    await actor.ok(ours);
    const accelerator = chosenAccelerator(actor.home);
    const figures = await inTurns(asked, {
      plain: () => timed(() => bootPlainly(plain, accelerator, asked.signal)),
      ours: () => timed(() => actor.ok(ours)),
    });
    const peer = { name: 'plain QEMU', samples: figures.plain };
    return compared('confidential-boot', 'ms', figures.ours, peer, '<= 1.5');
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}

async function memory(asked: Asked, actor: Actor): Promise<BenchmarkResult> {
  const options = confidentialOptions(actor);
  const { plain, ours } = await inTurns(asked, {
    plain: () => inUse(actor, []),
    ours: () => inUse(actor, options),
  });
  return compared('agent-memory', 'MiB', ours, { name: 'plain box', samples: plain }, '<= 1.5');
}

export const confidentialBoot: Benchmark = {
  name: 'confidential-boot',
  run: (asked) =>
    withActor(
      async ({ actor, root }) => {
        const few = { ...asked, samples: Math.min(asked.samples, MOST_SAMPLES) };
        return [
          await boots(few, actor, root),
          await memory({ ...few, samples: Math.min(few.samples, 3) }, actor),
        ];
      },
      { A3S_TEMPLATES: 'off' },
    ),
};
