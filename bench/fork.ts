/**
 * A copy of a running box until a command in it is answered, against the cold start of the same box; and the snapshot that
 * all copies begin with.
 *
 * @module
 */
import type Docker from 'dockerode';
import type { Actor } from '../test/e2e/actor.ts';
import { BUSYBOX } from '../test/e2e/installation.ts';
import { answers, apiOf } from './answering.ts';
import type { Benchmark } from './benchmark.ts';
import { inTurns } from './in-turns.ts';
import { alone, compared, timed } from './statistics.ts';
import { withActor } from './with-actor.ts';

const OPTIONS = ['run', '-d', '--network', 'none'];
const BOX = [...OPTIONS, BUSYBOX, 'sleep', '100000'];
const SNAPSHOT_MS = 120_000;

/** Milliseconds from the command line that starts a box to the answer of a command in it. */
async function untilAnswer(actor: Actor, docker: Docker, command: readonly string[]) {
  let box = '';
  const taken = await timed(async () => {
    box = await actor.ok(command);
    await answers(docker, box);
  });
  await actor.ok(['rm', '--force', box]);
  return taken;
}

/** Milliseconds; the box stays, and so does the snapshot `origin`. */
async function firstSnapshot(actor: Actor, docker: Docker): Promise<number> {
  const box = await actor.ok(BOX);
  await answers(docker, box);
  const command = ['snapshot', 'create', '--memory', '--name', 'origin', box];
  return timed(() => actor.ok(command, { deadlineMs: SNAPSHOT_MS }));
}

export const fork: Benchmark = {
  name: 'fork',
  run: (asked) =>
    withActor(
      ({ actor: cold }) =>
        withActor(async ({ actor }) => {
          const docker = apiOf(actor);
          const coldDocker = apiOf(cold);
          const first = await firstSnapshot(actor, docker);
          const { ours, starts } = await inTurns(asked, {
            starts: () => untilAnswer(cold, coldDocker, BOX),
            ours: () => untilAnswer(actor, docker, ['run', '-d', '--from-snapshot', 'origin']),
          });
          return [
            compared('fork', 'ms', ours, { name: 'its cold start', samples: starts }, '<= 0.1'),
            alone('fork-first-snapshot', 'ms', [first], ''),
          ];
        }),
      { A3S_TEMPLATES: 'off' },
    ),
};
