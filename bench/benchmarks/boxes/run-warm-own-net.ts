/**
 * `run --rm --network NETWORK IMAGE true` from a template, in a network that no other box is in,
 * with and without a published port, against the same in the default network.
 *
 * @module
 */
import type { Actor } from '../../../test/e2e/actor.ts';
import { BUSYBOX } from '../../../test/e2e/installation.ts';
import type { Asked, Benchmark } from '../../benchmark.ts';
import { inTurns } from '../../in-turns.ts';
import { type BenchmarkResult, compared, timed } from '../../statistics.ts';
import { warmly } from '../../warm.ts';
import { withActor } from '../../with-actor.ts';

const NETWORK = 'start-bench';
const ROWS = [
  { name: 'run-warm-own-net', options: [] },
  { name: 'run-warm-own-net-port', options: ['-p', '127.0.0.1::80'] },
];

async function compareNetworks(asked: Asked, actor: Actor): Promise<BenchmarkResult[]> {
  await actor.ok(['network', 'create', NETWORK]);
  const rows: BenchmarkResult[] = [];
  for (const { name, options } of ROWS) {
    const run = (...more: readonly string[]): Promise<number> =>
      timed(() => actor.ok(['run', '--rm', ...more, ...options, BUSYBOX, 'true']));
    const figures = await inTurns(asked, {
      usual: () => run(),
      own: () => run('--network', NETWORK),
    });
    const peer = { name: 'default network', samples: figures.usual };
    rows.push(compared(name, 'ms', figures.own, peer, '<= 1'));
  }
  return rows;
}

export const runWarmOwnNet: Benchmark = {
  name: 'run-warm-own-net',
  run: (asked) => withActor(({ actor }) => warmly(actor, () => compareNetworks(asked, actor))),
};
