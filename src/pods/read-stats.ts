/**
 * What pods and containers use, as their guests count it.
 *
 * @module
 */
import { stat } from 'node:fs/promises';
import { unlessAborted } from '../async/unless-aborted.ts';
import type { Stats } from '../guest/protocol.ts';
import { ifMissing } from '../networks/host/if-missing.ts';
import { podPermits } from './confidential/host-may.ts';
import type { RunningPod } from './launch/running-pod.ts';
import type { PodHost } from './pod-host.ts';
import type { Container } from './record/container.ts';
import { containerDisk } from './record/directories.ts';
import type { Pod } from './record/pod.ts';

export interface ContainerUse {
  readonly container: Container;
  /** Absent of one that does not run, or whose guest did not answer. */
  readonly stats?: Stats | undefined;
  /** That its writable layer takes on the node. */
  readonly diskBytes: number;
}

export interface PodUse {
  readonly pod: Pod;
  readonly stats?: Stats | undefined;
  readonly containers: readonly ContainerUse[];
}

type StatsHost = Pick<PodHost, 'home' | 'pods' | 'runningPods' | 'log'>;

/**
 * How long a guest may take to count: kubelet asks for all pods at once, and a guest that is silent
 * keeps it from those of no other.
 */
const ANSWER_MS = 3_000;

/** stat(2) counts blocks of this size, whatever the file system's are. */
const STAT_BLOCK = 512;

export async function readContainer(rt: StatsHost, container: Container): Promise<ContainerUse> {
  const { id, pod } = container.definition;
  const disk = await stat(containerDisk(rt, container.definition)).catch(ifMissing);
  const diskBytes = (disk?.blocks ?? 0) * STAT_BLOCK;
  const running = rt.runningPods.get(pod);
  if (running === undefined || container.state.status !== 'running' || !isCounted(rt, pod)) {
    return { container, diskBytes };
  }
  const stats = await answered(rt, { container: id }, running, async (signal) =>
    (await running.guest()).container(id).stats(signal),
  );
  return { container, stats, diskBytes };
}

export async function readPod(rt: StatsHost, pod: Pod): Promise<PodUse> {
  const { id } = pod.definition;
  const running = rt.runningPods.get(id);
  const [stats, ...containers] = await Promise.all([
    running === undefined || !isCounted(rt, id)
      ? undefined
      : answered(rt, { pod: id }, running, async (signal) => (await running.guest()).stats(signal)),
    ...rt.pods.containers(id).map((container) => readContainer(rt, container)),
  ]);
  return { pod, stats, containers };
}

/** The guest of a confidential pod counts for its host where its launch spec says so. */
function isCounted(rt: Pick<StatsHost, 'pods'>, id: string): boolean {
  const pod = rt.pods.pod(id);
  return pod === undefined || podPermits(pod.definition, 'stats');
}

/** One guest that does not answer keeps no list from being answered: it has ended, or will. */
async function answered(
  { log }: Pick<StatsHost, 'log'>,
  fields: Readonly<Record<string, string>>,
  running: RunningPod,
  ask: (signal: AbortSignal) => Promise<Stats>,
): Promise<Stats | undefined> {
  const late = AbortSignal.timeout(ANSWER_MS);
  const signal = AbortSignal.any([running.signal, late]);
  try {
    // The connection to the guest may be what is waited for.
    return await unlessAborted(ask(signal), signal);
  } catch (error) {
    log.info('a guest did not say what it uses', { ...fields, reason: String(error) });
    return undefined;
  }
}
