/**
 * Splits the stages into lanes: a guest has one processor, and the host's other one would be idle.
 *
 * @module
 */
import type { Selection } from './selection/reach.ts';
import { STAGE_NAMES, type StageName } from './stage-names.ts';

/**
 * The stages of each lane, one after the other. A lane that is through with them takes files of the
 * vm stage, until there are none.
 */
export interface Lanes {
  /** Prints as it goes. */
  readonly front: readonly StageName[];
  /** Meanwhile, where there is a second processor; each stage is printed when it has ended. */
  readonly beside: readonly StageName[] | undefined;
}

/** The front lane boots VMs at once; the only lane there is boots them last. */
export function lanesOf(stages: readonly StageName[], processors: number): Lanes {
  const others = STAGE_NAMES.filter((name) => name !== 'vm' && stages.includes(name));
  if (processors < 2 || !stages.includes('vm')) return { front: others, beside: undefined };
  return { front: [], beside: others };
}

/**
 * What measures processors, disks or memory of the host, or takes all of them: these have the host
 * to themselves.
 */
export const ALONE: readonly string[] = ['resources', 'hostile-guest'].map(
  (name) => `test/e2e/${name}.test.ts`,
);

/**
 * The chosen files of the vm stage: those that may have others beside them, and those that may not.
 */
export function splitVmStage(
  files: readonly string[],
  selection: Selection,
): { readonly shared: readonly string[]; readonly alone: readonly string[] } {
  const chosen = files.filter(
    (file) => selection === 'all' || selection.some((path) => file.startsWith(path)),
  );
  return {
    shared: chosen.filter((file) => !ALONE.includes(file)),
    alone: chosen.filter((file) => ALONE.includes(file)),
  };
}

/**
 * Files of the vm stage that take more than forty seconds, the slowest first: the last ones to
 * start must not be among them.
 */
const SLOW: readonly string[] = [
  'test/clients/docker/transcript.test.ts',
  'test/e2e/warm.test.ts',
  'test/clients/compose/compose.test.ts',
  'test/e2e/user-networks.test.ts',
  'test/e2e/sealing.test.ts',
  'test/e2e/run.test.ts',
  'test/e2e/device-mapper.test.ts',
  'test/e2e/builder.test.ts',
  'test/e2e/confidential-lifecycle.test.ts',
  'test/e2e/snapshot.test.ts',
  'test/e2e/pods.test.ts',
  'test/e2e/volumes.test.ts',
  'test/e2e/network-connect.test.ts',
  'test/e2e/poor-host.test.ts',
  'test/e2e/fuzzed-guest.test.ts',
  'test/e2e/egress.test.ts',
  'test/e2e/systemd.test.ts',
  'test/e2e/pool-network.test.ts',
  'test/e2e/confidential-pods.test.ts',
  'test/e2e/confidential-pod.test.ts',
  'test/e2e/hostile-host/firmware.test.ts',
  'test/clients/docker/dockerode.test.ts',
  'test/e2e/hostile-host/sessions.test.ts',
  'test/e2e/template-engine.test.ts',
  'test/e2e/templates.test.ts',
  'test/e2e/hostile-host/measured.test.ts',
  'test/e2e/hostile-host/secrets.test.ts',
  'test/e2e/hostile-host/layers.test.ts',
  'test/e2e/hostile-host/writable-layer.test.ts',
  'test/e2e/pool.test.ts',
  'test/e2e/gates.test.ts',
  'test/e2e/bind-files.test.ts',
  'test/clients/docker/testcontainers.test.ts',
  'test/e2e/krun.test.ts',
  'test/e2e/confidential-agent.test.ts',
  'test/e2e/boot-sets.test.ts',
  'test/clients/layers.test.ts',
];

/** Others at a time: each start of Vitest takes two seconds. */
const BATCH = 4;

/** The last files go one by one, so that the lanes end together. */
const LAST = 8;

/**
 * What a lane takes at a time of the files of the vm stage: a slow one, then a few of the others.
 */
export function batchesOf(files: readonly string[]): string[][] {
  const slow = SLOW.filter((file) => files.includes(file)).map((file) => [file]);
  const others = files.filter((file) => !SLOW.includes(file));
  const last = others.splice(-LAST).map((file) => [file]);
  const count = Math.ceil(others.length / BATCH);
  const rest = Array.from({ length: count }, (_, batch) =>
    others.slice(batch * BATCH, (batch + 1) * BATCH),
  );
  return [...slow, ...rest, ...last];
}
