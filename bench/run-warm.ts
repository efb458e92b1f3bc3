/**
 * `run --rm --network none IMAGE true` from a template, against podman.
 *
 * @module
 */
import type { Benchmark } from './benchmark.ts';
import { Podman } from './podman.ts';
import { compareRuns, WITHOUT_NETWORK } from './runs.ts';
import { checkWarm, warm } from './warm.ts';
import { withActor } from './with-actor.ts';

export const runWarm: Benchmark = {
  name: 'run-warm',
  run: (asked) =>
    withActor(async ({ actor, archive }) => {
      await warm(actor);
      return Podman.with(archive, async (podman) => {
        const runs = { name: 'run-warm', aim: '<= 2.5', options: WITHOUT_NETWORK };
        const row = await compareRuns(asked, { actor, podman }, runs);
        await checkWarm(actor);
        return [row];
      });
    }),
};
