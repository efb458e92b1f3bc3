/**
 * The same two runs as `run-warm` and `run-warm-net`, from a pool that is full each time.
 *
 * @module
 */
import type { Actor } from '../test/e2e/actor.ts';
import type { Benchmark } from './benchmark.ts';
import { Podman } from './podman.ts';
import { compareRuns, networkAndBind, WITHOUT_NETWORK } from './runs.ts';
import { warm } from './warm.ts';
import { withActor } from './with-actor.ts';

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
      return Podman.with(archive, async (podman) => [
        await compareRuns(
          asked,
          { actor, podman },
          {
            ...{ name: 'run-pool', aim: '<= 1.2', options: WITHOUT_NETWORK },
            before: () => fill(actor, 'none'),
          },
        ),
        await compareRuns(
          asked,
          { actor, podman },
          {
            ...{ name: 'run-pool-net', aim: '<= 1.2', options: networkAndBind(actor) },
            before: () => fill(actor, 'default'),
          },
        ),
      ]);
    }),
};
