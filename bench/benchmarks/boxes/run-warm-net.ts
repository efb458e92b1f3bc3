/**
 * `run --rm -v DIRECTORY:/mnt IMAGE true` from a template, with the default network, against
 * podman.
 *
 * @module
 */
import type { Benchmark } from '../../benchmark.ts';
import { Podman } from '../../peers/podman.ts';
import { compareRuns, networkAndBind } from '../../runs.ts';
import { warmly } from '../../warm.ts';
import { withActor } from '../../with-actor.ts';

export const runWarmNet: Benchmark = {
  name: 'run-warm-net',
  run: (asked) =>
    withActor(async ({ actor, archive }) => {
      const runs = { name: 'run-warm-net', aim: '<= 3', options: networkAndBind(actor) };
      return Podman.with(archive, async (podman) => [
        await warmly(actor, () => compareRuns(asked, { actor, podman }, runs)),
      ]);
    }),
};
