/**
 * The cost of an idle box for the host, and of fifty boxes for the control server.
 *
 * Beside the memory of its processes stands how much less memory the host has available, which
 * counts only what cannot be freed.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import type { Actor } from '../../../test/e2e/actor.ts';
import { BUSYBOX } from '../../../test/e2e/installation.ts';
import type { Benchmark } from '../../benchmark.ts';
import { mebibytes, proportional, proportionalOf } from '../../process-memory.ts';
import { alone, type BenchmarkResult, shown } from '../../statistics.ts';
import { warm } from '../../warm.ts';
import { withActor } from '../../with-actor.ts';

const BOXES = 50;
const BOX = ['run', '-d', '--network', 'none', BUSYBOX, 'sleep', '100000'];
/** With less than this left, the kernel may begin to kill; in MiB. */
const LEAST_LEFT = 768;

function available(): number {
  return mebibytes('MemAvailable', readFileSync('/proc/meminfo', 'utf8'));
}

async function startAll(actor: Actor, signal: AbortSignal): Promise<readonly string[]> {
  const ids: string[] = [];
  while (ids.length < BOXES) {
    signal.throwIfAborted();
    const left = available();
    if (left < LEAST_LEFT) {
      throw new Error(
        `Cannot hold ${BOXES} boxes here: with ${ids.length} of them, ${shown(left)} MiB of memory are left.`,
      );
    }
    ids.push(await actor.ok(BOX));
  }
  return ids;
}

function rows(actor: Actor, ids: readonly string[], fallen: number): readonly BenchmarkResult[] {
  const boxes = proportionalOf(actor, ids);
  const server = actor.serverPid();
  if (server === undefined) throw new Error('the control server is gone');
  return [
    {
      ...alone('density', 'MiB', boxes, '< 200'),
      against: `available memory fell by ${shown(fallen / BOXES)} MiB a box`,
    },
    alone('density-server', 'MiB', [proportional(server)], '< 150'),
  ];
}

export const density: Benchmark = {
  name: 'density',
  run: ({ signal }) =>
    withActor(async ({ actor }) => {
      await warm(actor);
      // Beside one that runs already: what all share, the host has given once.
      await actor.ok(BOX);
      const before = available();
      const ids = await startAll(actor, signal);
      return rows(actor, ids, before - available());
    }),
};
