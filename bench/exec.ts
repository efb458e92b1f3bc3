/**
 * A command in a running box: how long until it is over, and how fast bytes flow.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { Actor, finish } from '../test/e2e/actor.ts';
import { BUSYBOX, install } from '../test/e2e/installation.ts';
import { type Benchmark, compared, timed } from './statistics.ts';

const STREAM_BYTES = 32 * 1024 * 1024;

/** The same program on the host, started the same way: what no box can be faster than. */
function onHost(program: string, args: readonly string[]) {
  return timed(() => finish(spawn(program, args)));
}

export const exec: Benchmark = {
  name: 'exec',
  async run(samples) {
    const installation = await install();
    const actor = new Actor('root', installation);
    try {
      await actor.load('busybox');
      await actor.ok([
        'run',
        '-d',
        '--name',
        'host',
        '--network',
        'none',
        BUSYBOX,
        'sleep',
        '100000',
      ]);
      const latency: number[] = [];
      const floor: number[] = [];
      const stream: number[] = [];
      const bare: number[] = [];
      for (let sample = 0; sample < samples; sample += 1) {
        floor.push(await onHost(process.execPath, ['-e', '0']));
        latency.push(await timed(() => actor.ok(['exec', 'host', 'true'])));
      }
      const flood = `head -c ${STREAM_BYTES} /dev/zero`;
      for (let sample = 0; sample < Math.min(samples, 5); sample += 1) {
        bare.push(rate(await onHost('sh', ['-c', flood])));
        stream.push(rate(await timed(() => actor.ok(['exec', 'host', 'sh', '-c', flood]))));
      }
      return [
        compared('exec BOX true', 'ms', latency, { name: 'node -e 0', samples: floor }, '< 3'),
        compared(
          'exec stream throughput',
          'MB/s',
          stream,
          { name: 'a pipe', samples: bare },
          '> 0.05',
        ),
      ];
    } finally {
      await actor.leave();
      installation.remove();
    }
  },
};

function rate(milliseconds: number): number {
  return STREAM_BYTES / 1_000 / milliseconds;
}
