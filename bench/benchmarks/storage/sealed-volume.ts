/**
 * Files on a sealed volume of a confidential box, simulated, against the same on a disk volume of a
 * plain box: what encryption, authentication and the journal of dm-integrity cost.
 *
 * A program inside does the work and takes the time.
 *
 * @module
 */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Actor } from '../../../test/e2e/actor.ts';
import { BUSYBOX } from '../../../test/e2e/installation.ts';
import type { Asked, Benchmark } from '../../benchmark.ts';
import { confidentialOptions } from '../../confidential-place.ts';
import { FS_WORK, milliseconds } from '../../fs-work.ts';
import { inTurns } from '../../in-turns.ts';
import { type BenchmarkResult, compared } from '../../statistics.ts';
import { withActor } from '../../with-actor.ts';

/** Rounds are long. */
const MOST_SAMPLES = 3;
const COMMAND_MS = 600_000;
const PLACE = '/data';
const PROGRAM = '/fs-work';
/** Of both volumes. A sealed one is written once as a whole when it is made. */
const SIZE = 'size=384m';

/** A box with the program in it. */
async function start(actor: Actor, name: string, options: readonly string[]): Promise<void> {
  const box = ['--name', name, '--network', 'none', '-m', '512m', ...options];
  await actor.ok(['run', '-d', ...box, BUSYBOX, 'sleep', '100000'], { deadlineMs: COMMAND_MS });
  const program = join(actor.directory, 'fs-work');
  const copy = `cat > ${PROGRAM} && chmod 755 ${PROGRAM}`;
  const stdin = readFileSync(program);
  await actor.ok(['exec', '-i', name, 'sh', '-c', copy], { stdin, deadlineMs: COMMAND_MS });
}

async function rowsOf(asked: Asked, actor: Actor): Promise<readonly BenchmarkResult[]> {
  const few = { ...asked, samples: Math.min(asked.samples, MOST_SAMPLES) };
  const inside = (name: string, verb: string) =>
    milliseconds(
      (command) => actor.ok(['exec', name, ...command], { deadlineMs: COMMAND_MS }),
      [PROGRAM, verb, PLACE],
    );
  const rows: BenchmarkResult[] = [];
  for (const [name, verb] of Object.entries(FS_WORK)) {
    const figures = await inTurns(few, {
      disk: () => inside('plain', verb),
      sealed: () => inside('sealed', verb),
    });
    const peer = { name: 'disk volume', samples: figures.disk };
    const row = compared(`sealed-volume-${name}`, 'ms', figures.sealed, peer, '');
    console.error(`bench: ${row.name}: ${row.p50} ms, ${row.against}`);
    rows.push(row);
  }
  return rows;
}

export const sealedVolume: Benchmark = {
  name: 'sealed-volume',
  run: (asked) =>
    withActor(async ({ actor }) => {
      const program = join(actor.directory, 'fs-work');
      const source = join(import.meta.dirname, '../../peers/fs-work.c');
      execFileSync('gcc', ['-static', '-O2', '-o', program, source]);
      for (const type of ['disk', 'sealed']) {
        await actor.ok(['volume', 'create', '--opt', `type=${type}`, '--opt', SIZE, type]);
      }
      await start(actor, 'plain', ['-v', `disk:${PLACE}`]);
      const options = confidentialOptions(actor, 'exec');
      await start(actor, 'sealed', [...options, '-v', `sealed:${PLACE}:sealed,init`]);
      return await rowsOf(asked, actor);
    }),
};
