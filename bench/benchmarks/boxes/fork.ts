/**
 * A fork of a running box, against the cold start of the same box: until `run -d` returns, until
 * the workload runs with its own identity, and until a command in it is answered; and the memory
 * snapshot that all forks start from.
 *
 * @module
 */
import type Docker from 'dockerode';
import type { Actor } from '../../../test/e2e/actor.ts';
import { BUSYBOX } from '../../../test/e2e/installation.ts';
import { answers, apiOf } from '../../answering.ts';
import type { Benchmark } from '../../benchmark.ts';
import { inTurns } from '../../in-turns.ts';
import { alone, compared, timed } from '../../statistics.ts';
import { withActor } from '../../with-actor.ts';

const OPTIONS = ['run', '-d', '--network', 'none'];
const BOX = [...OPTIONS, BUSYBOX, 'sleep', '100000'];
const SNAPSHOT_MS = 120_000;

/** Milliseconds from the command line that starts a box, one figure for each moment. */
interface Started {
  readonly running: number;
  readonly answered: number;
}

async function start(actor: Actor, docker: Docker, command: readonly string[]): Promise<Started> {
  let box = '';
  const running = await timed(async () => {
    box = await actor.ok(command);
  });
  const answering = await timed(() => answers(docker, box));
  await actor.ok(['rm', '--force', box]);
  return { running, answered: running + answering };
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
          const { copies, starts } = await inTurns(asked, {
            starts: () => start(cold, coldDocker, BOX),
            copies: () => start(actor, docker, ['run', '-d', '--from-snapshot', 'origin']),
          });
          const against = (moment: keyof Started) => ({
            name: 'its cold start',
            samples: starts.map((started) => started[moment]),
          });
          const moment = (name: keyof Started) => copies.map((started) => started[name]);
          return [
            compared('fork', 'ms', moment('running'), against('running'), '<= 0.1'),
            compared('fork-first-exec', 'ms', moment('answered'), against('answered'), ''),
            alone('fork-first-snapshot', 'ms', [first], ''),
          ];
        }),
      { A3S_TEMPLATES: 'off' },
    ),
};
