/**
 * The command line alone, without a request to the server, against Node with an empty program.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { finish } from '../../../test/e2e/actor.ts';
import type { Benchmark } from '../../benchmark.ts';
import { inTurns } from '../../in-turns.ts';
import { compared, timed } from '../../statistics.ts';
import { withActor } from '../../with-actor.ts';

export const cliStart: Benchmark = {
  name: 'cli-start',
  run: (asked) =>
    withActor(async ({ actor }) => {
      const [node, ...idle] = actor.program(process.execPath, ['-e', '0']);
      const { ours, floor } = await inTurns(asked, {
        floor: () => timed(() => finish(spawn(node, idle, { env: actor.env }))),
        ours: () => timed(() => actor.ok(['version', '--client'])),
      });
      return [compared('cli-start', 'ms', ours, { name: 'node -e 0', samples: floor }, '<= 1.5')];
    }),
};
