/**
 * The runs of `run-warm` from a pool that is full each time: without a network, and with the
 * default one.
 *
 * @module
 */
import type { Actor } from '../../../test/e2e/actor.ts';
import type { Asked, Benchmark } from '../../benchmark.ts';
import { Podman } from '../../peers/podman.ts';
import { compareRuns, type Runs, WITHOUT_NETWORK } from '../../runs.ts';
import type { BenchmarkResult } from '../../statistics.ts';
import { pooled, warm } from '../../warm.ts';
import { withActor } from '../../with-actor.ts';

/** One to take, and one that is there while the first is replaced. */
const SIZE = 2;
const FULL_MS = 120_000;

/** Waits until the pool is as large as it should be. */
async function fill(actor: Actor, network: 'none' | 'default'): Promise<void> {
  const command = ['pool', 'set', '--size', String(SIZE), '--network', network, '--wait'];
  await actor.ok(command, { deadlineMs: FULL_MS });
}

export const runPool: Benchmark = {
  name: 'run-pool',
  run: (asked) =>
    withActor(async ({ actor, archive }) => {
      await warm(actor);
      return Podman.with(archive, async (podman) => {
        const row = (name: string, network: 'none' | 'default', options: Runs['options']) =>
          compare(asked, { actor, podman }, { name, network, options });
        return [
          await row('run-pool', 'none', WITHOUT_NETWORK),
          await row('run-pool-net', 'default', []),
        ];
      });
    }),
};

async function compare(
  asked: Asked,
  sides: { readonly actor: Actor; readonly podman: Podman },
  row: Pick<Runs, 'name' | 'options'> & { readonly network: 'none' | 'default' },
): Promise<BenchmarkResult> {
  const { name, options, network } = row;
  const before = (): Promise<void> => fill(sides.actor, network);
  return await pooled(sides.actor, () =>
    compareRuns(asked, sides, { ...{ name, aim: '<= 1.2', options }, before }),
  );
}
