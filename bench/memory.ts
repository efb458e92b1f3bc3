/**
 * What a box costs the host while it idles, and what twenty of them cost the control server.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { Actor } from '../test/e2e/actor.ts';
import { BUSYBOX, install } from '../test/e2e/installation.ts';
import { alone, type Benchmark } from './statistics.ts';

const BOXES = 20;

/** Memory of a process with shared pages counted by share, in MiB. */
function proportional(pid: number): number {
  const line = /^Pss:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'));
  if (line?.[1] === undefined) throw new Error(`no Pss of process ${pid}`);
  return Number(line[1]) / 1024;
}

export const memory: Benchmark = {
  name: 'memory',
  async run() {
    const installation = await install();
    const actor = new Actor('root', installation);
    try {
      await actor.load('busybox');
      for (let box = 0; box < BOXES; box += 1) {
        await actor.ok([
          'run',
          '-d',
          '-m',
          '128m',
          '--network',
          'none',
          BUSYBOX,
          'sleep',
          '100000',
        ]);
      }
      const machines = actor.vmms();
      const server = actor.serverPid();
      if (server === undefined) throw new Error('the control server is gone');
      return [
        alone(
          'host memory per idle box of 128 MiB',
          'MiB',
          machines.map(({ pid }) => proportional(pid)),
          '< 200',
        ),
        alone(`control server with ${BOXES} boxes`, 'MiB', [proportional(server)], '< 150'),
      ];
    } finally {
      await actor.leave();
      installation.remove();
    }
  },
};
