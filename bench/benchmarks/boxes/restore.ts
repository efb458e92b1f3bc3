/**
 * A box that starts from a template until the first command in it is answered, against a bare start
 * from saved memory with one round trip.
 *
 * The clock runs from the request to start the box, which is a little before its process begins, to
 * the command's end.
 *
 * @module
 */
import { BUSYBOX } from '../../../test/e2e/installation.ts';
import { answers, apiOf } from '../../answering.ts';
import type { Benchmark } from '../../benchmark.ts';
import { inTurns } from '../../in-turns.ts';
import { BareTemplate } from '../../peers/bare-restore.ts';
import { compared, timed } from '../../statistics.ts';
import { warmly } from '../../warm.ts';
import { withActor } from '../../with-actor.ts';

const BOX = ['create', '--network', 'none', BUSYBOX, 'sleep', '100000'];

export const restore: Benchmark = {
  name: 'restore',
  run: (asked) =>
    withActor(async ({ actor, root }) => {
      const docker = apiOf(actor);
      const { ours, bare } = await BareTemplate.with(
        { installation: root, home: actor.home },
        (template) =>
          warmly(actor, () =>
            inTurns(asked, {
              bare: () => template.startFromTemplate(),
              ours: async () => {
                const box = await actor.ok(BOX);
                const taken = await timed(async () => {
                  await docker.getContainer(box).start();
                  await answers(docker, box);
                });
                await actor.ok(['rm', '--force', box]);
                return taken;
              },
            }),
          ),
      );
      return [compared('restore', 'ms', ours, { name: 'a bare restore', samples: bare }, '<= 1.3')];
    }),
};
