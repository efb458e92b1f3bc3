/**
 * Removes a container, ended first where it runs.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import type { PodHost } from '../pod-host.ts';
import { containerDisk } from '../record/directories.ts';
import { stopContainer } from './stop-container.ts';

/** A container that is gone is no error. @throws A3sError `agent-timeout` where it does not end */
export async function removeContainer(
  rt: Pick<PodHost, 'pods' | 'runningPods' | 'locks' | 'home'>,
  id: string,
): Promise<void> {
  await stopContainer(rt, id, 0);
  const container = rt.pods.container(id);
  if (container === undefined) return;
  await rt.locks.run(container.definition.pod, () => removeEnded(rt, id));
}

/** Caller holds the pod's lock. @throws A3sError `conflict` where it runs */
export async function removeEnded(rt: Pick<PodHost, 'pods' | 'home'>, id: string): Promise<void> {
  const container = rt.pods.container(id);
  if (container === undefined) return;
  rt.pods.advanceContainer(id, 'remove');
  await rm(containerDisk(rt, container.definition), { force: true });
  rt.pods.removeContainer(id);
}
