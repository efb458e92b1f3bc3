/**
 * `run --rm --network none IMAGE true` from a template, against podman.
 *
 * @module
 */
import type { Benchmark } from '../../benchmark.ts';
import { Podman } from '../../peers/podman.ts';
import { compareRuns, WITHOUT_NETWORK } from '../../runs.ts';
import { warmly } from '../../warm.ts';
import { withActor } from '../../with-actor.ts';

export const runWarm: Benchmark = {
  name: 'run-warm',
  run: (asked) =>
    withActor(async ({ actor, archive }) => {
      const runs = { name: 'run-warm', aim: '<= 2.5', options: WITHOUT_NETWORK };
      return Podman.with(archive, async (podman) => [
        await warmly(actor, () => compareRuns(asked, { actor, podman }, runs)),
      ]);
    }),
};
