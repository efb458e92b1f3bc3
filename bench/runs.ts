/**
 * One `run --rm IMAGE true` with the same options, of A3S Box and of podman.
 *
 * @module
 */
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import type { Actor } from '../test/e2e/actor.ts';
import { BUSYBOX } from '../test/e2e/installation.ts';
import type { Asked } from './benchmark.ts';
import { inTurns } from './in-turns.ts';
import { PODMAN_IMAGE, type Podman } from './peers/podman.ts';
import { type BenchmarkResult, compared, timed } from './statistics.ts';

export interface Runs {
  /** The row's. */
  readonly name: string;
  readonly aim: string;
  /** Of `run`, for both. */
  readonly options: readonly string[];
  /** What has to be so before each of them, and takes no part in the figure. */
  readonly before?: () => Promise<unknown>;
}

export const WITHOUT_NETWORK = ['--network', 'none'];

/** The default network, and a directory of the host. */
export function networkAndBind(actor: Actor): readonly string[] {
  const shared = join(actor.directory, 'shared');
  mkdirSync(shared, { recursive: true, mode: 0o755 });
  return ['-v', `${shared}:/mnt`];
}

/** From the command line until it has ended. */
export async function compareRuns(
  asked: Asked,
  { actor, podman }: { readonly actor: Actor; readonly podman: Podman },
  { name, aim, options, before = async () => undefined }: Runs,
): Promise<BenchmarkResult> {
  const ours = ['run', '--rm', ...options, BUSYBOX, 'true'];
  const theirs = ['--rm', ...options, PODMAN_IMAGE, 'true'];
  const figures = await inTurns(asked, {
    podman: async () => {
      await before();
      return timed(() => podman.run(theirs));
    },
    ours: async () => {
      await before();
      return timed(() => actor.ok(ours));
    },
  });
  const peer = { name: 'podman run', samples: figures.podman };
  return compared(name, 'ms', figures.ours, peer, aim);
}
