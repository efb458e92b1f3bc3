/**
 * A command in a running box: its time to completion, against `podman exec`, and its throughput,
 * against a pipe.
 *
 * @module
 */
import { spawn } from 'node:child_process';
import { type Actor, finish } from '../../../test/e2e/actor.ts';
import { BUSYBOX } from '../../../test/e2e/installation.ts';
import type { Asked, Benchmark } from '../../benchmark.ts';
import { inTurns } from '../../in-turns.ts';
import { PODMAN_IMAGE, Podman } from '../../peers/podman.ts';
import { type BenchmarkResult, compared, timed } from '../../statistics.ts';
import { warm } from '../../warm.ts';
import { withActor } from '../../with-actor.ts';

const STREAM_BYTES = 32 * 1024 * 1024;
const MOST_STREAMS = 5;
const IDLE = ['-d', '--name', 'host', '--network', 'none'];

async function latency(asked: Asked, actor: Actor, podman: Podman): Promise<BenchmarkResult> {
  const { ours, theirs } = await inTurns(asked, {
    theirs: () => timed(() => podman.ok(['exec', 'host', 'true'])),
    ours: () => timed(() => actor.ok(['exec', 'host', 'true'])),
  });
  return compared('exec', 'ms', ours, { name: 'podman exec', samples: theirs }, '<= 1');
}

/** What no box can be faster than is the same program on the host. */
async function throughput({ samples, signal }: Asked, actor: Actor): Promise<BenchmarkResult> {
  const flood = ['sh', '-c', `head -c ${STREAM_BYTES} /dev/zero`] as const;
  const [shell, ...script] = flood;
  const { ours, pipe } = await inTurns(
    { samples: Math.min(samples, MOST_STREAMS), signal },
    {
      pipe: async () => rate(await timed(() => finish(spawn(shell, script)))),
      ours: async () => rate(await timed(() => actor.ok(['exec', 'host', ...flood]))),
    },
  );
  const floor = { name: 'a pipe', samples: pipe };
  return compared('exec-throughput', 'MB/s', ours, floor, '>= 0.05');
}

function rate(milliseconds: number): number {
  return STREAM_BYTES / 1_000 / milliseconds;
}

export const exec: Benchmark = {
  name: 'exec',
  run: (asked) =>
    withActor(({ actor, archive }) =>
      Podman.with(archive, async (podman) => {
        // Nothing is made in the background afterwards.
        await warm(actor);
        await actor.ok(['run', ...IDLE, BUSYBOX, 'sleep', '100000']);
        await podman.run([...IDLE, PODMAN_IMAGE, 'sleep', '100000']);
        return [await latency(asked, actor, podman), await throughput(asked, actor)];
      }),
    ),
};
