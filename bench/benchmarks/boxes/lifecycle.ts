/**
 * The life of a box, command by command, against the same commands of podman with runc.
 *
 * @module
 */
import { BUSYBOX } from '../../../test/e2e/installation.ts';
import { until } from '../../../test/e2e/processes.ts';
import type { Benchmark } from '../../benchmark.ts';
import { inTurns } from '../../in-turns.ts';
import { PODMAN_IMAGE, Podman } from '../../peers/podman.ts';
import { compared, timed } from '../../statistics.ts';
import { warm } from '../../warm.ts';
import { withActor } from '../../with-actor.ts';

const NAME = 'life';
/**
 * A program that ends at once on a signal: a stop does not include the ten seconds for one that
 * ignores it.
 */
const PROGRAM = ['sh', '-c', 'trap "exit 0" TERM; echo here; while :; do sleep 1000 & wait; done'];

const STEPS = ['create', 'start', 'exec', 'logs', 'stop', 'rm'] as const;
type Step = (typeof STEPS)[number];
type Life = Readonly<Record<Step, number>>;

/** What we want each to be at most, as a multiple of podman's. */
const AIMS: Readonly<Record<Step, string>> = {
  ...{ create: '<= 1', start: '<= 2.5', exec: '<= 1', logs: '<= 1', stop: '<= 1.5', rm: '<= 1' },
};

type Command = (args: readonly string[]) => Promise<string>;

/** @param create makes the box, as either command line says it */
async function live(create: () => Promise<unknown>, command: Command): Promise<Life> {
  const figures: Record<Step, number> = {
    ...{ create: 0, start: 0, exec: 0, logs: 0, stop: 0, rm: 0 },
  };
  figures.create = await timed(create);
  figures.start = await timed(() => command(['start', NAME]));
  figures.exec = await timed(() => command(['exec', NAME, 'true']));
  await until('its output is there', async () => (await command(['logs', NAME])) === 'here');
  figures.logs = await timed(() => command(['logs', NAME]));
  figures.stop = await timed(() => command(['stop', NAME]));
  figures.rm = await timed(() => command(['rm', NAME]));
  return figures;
}

export const lifecycle: Benchmark = {
  name: 'lifecycle',
  run: (asked) =>
    withActor(({ actor, archive }) =>
      Podman.with(archive, async (podman) => {
        await warm(actor);
        const options = ['--name', NAME, '--network', 'none'];
        const { ours, theirs } = await inTurns(asked, {
          theirs: () =>
            live(
              () => podman.create([...options, PODMAN_IMAGE, ...PROGRAM]),
              (args) => podman.ok(args),
            ),
          ours: () =>
            live(
              () => actor.ok(['create', ...options, BUSYBOX, ...PROGRAM]),
              (args) => actor.ok(args),
            ),
        });
        return STEPS.map((step) =>
          compared(
            `lifecycle-${step}`,
            'ms',
            ours.map((life) => life[step]),
            { name: `podman ${step}`, samples: theirs.map((life) => life[step]) },
            AIMS[step],
          ),
        );
      }),
    ),
};
