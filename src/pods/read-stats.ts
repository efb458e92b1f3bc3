/**
 * What pods and containers use, as their guests count it.
 *
 * @module
 */
import { stat } from 'node:fs/promises';
import type { Stats } from '../guest/protocol.ts';
import { ifMissing } from '../networks/host/if-missing.ts';
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

/** stat(2) counts blocks of this size, whatever the file system's are. */
const STAT_BLOCK = 512;

export async function readContainer(rt: StatsHost, container: Container): Promise<ContainerUse> {
  const { id, pod } = container.definition;
  const disk = await stat(containerDisk(rt, container.definition)).catch(ifMissing);
  const diskBytes = (disk?.blocks ?? 0) * STAT_BLOCK;
  const running = rt.runningPods.get(pod);
  if (running === undefined || container.state.status !== 'running') {
    return { container, diskBytes };
  }
  const stats = await answered(rt, { container: id }, async () =>
    (await running.guest()).container(id).stats(running.signal),
  );
  return { container, stats, diskBytes };
}

export async function readPod(rt: StatsHost, pod: Pod): Promise<PodUse> {
  const { id } = pod.definition;
  const running = rt.runningPods.get(id);
  const stats =
    running === undefined
      ? undefined
      : await answered(rt, { pod: id }, async () => (await running.guest()).stats(running.signal));
  const all = rt.pods.containers(id).map((container) => readContainer(rt, container));
  return { pod, stats, containers: await Promise.all(all) };
}

/** One guest that does not answer keeps no list from being answered: it has ended, or will. */
async function answered(
  { log }: Pick<StatsHost, 'log'>,
  fields: Readonly<Record<string, string>>,
  ask: () => Promise<Stats>,
): Promise<Stats | undefined> {
  try {
    return await ask();
  } catch (error) {
    log.info('a guest did not say what it uses', { ...fields, reason: String(error) });
    return undefined;
  }
}
