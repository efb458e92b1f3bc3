/**
 * Twenty boxes at once: twenty commands side by side, until the last has started its box, against
 * podman.
 *
 * @module
 */

import { BUSYBOX } from '../../../test/e2e/installation.ts';
import type { Benchmark } from '../../benchmark.ts';
import { inTurns } from '../../in-turns.ts';
import { PODMAN_IMAGE, Podman } from '../../peers/podman.ts';
import { compared, timed } from '../../statistics.ts';
import { warmly } from '../../warm.ts';
import { withActor } from '../../with-actor.ts';

const BOXES = 20;
/** A round takes seconds, and is made of many starts already. */
const MOST_ROUNDS = 5;
const START_MS = 300_000;
const IDLE = ['sleep', '100000'];

/** Milliseconds until all have started. Each is removed afterwards, also when others failed. */
async function startAll(
  start: () => Promise<string>,
  remove: (ids: readonly string[]) => Promise<unknown>,
): Promise<number> {
  let outcomes: readonly PromiseSettledResult<string>[] = [];
  const taken = await timed(async () => {
    outcomes = await Promise.allSettled(Array.from({ length: BOXES }, start));
  });
  await remove(
    outcomes.flatMap((outcome) => (outcome.status === 'fulfilled' ? [outcome.value] : [])),
  );
  const failed = outcomes.find((outcome) => outcome.status === 'rejected');
  if (failed !== undefined) throw failed.reason;
  return taken;
}

export const burst: Benchmark = {
  name: 'burst',
  run: ({ samples, signal }) =>
    withActor(async ({ actor, archive }) => {
      return Podman.with(archive, async (podman) => {
        const asked = { samples: Math.min(samples, MOST_ROUNDS), signal };
        const { ours, theirs } = await warmly(actor, () =>
          inTurns(asked, {
            theirs: () =>
              startAll(
                () => podman.run(['-d', PODMAN_IMAGE, ...IDLE]),
                (ids) => podman.ok(['rm', '--force', '--time', '0', ...ids]),
              ),
            ours: () =>
              startAll(
                () => actor.ok(['run', '-d', BUSYBOX, ...IDLE], { deadlineMs: START_MS }),
                (ids) => actor.ok(['rm', '--force', ...ids]),
              ),
          }),
        );
        const peer = { name: `${BOXES} podman run -d`, samples: theirs };
        return [compared('burst', 'ms', ours, peer, '<= 3')];
      });
    }),
};
