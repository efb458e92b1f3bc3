/**
 * Follows a pod to its end, whatever ends it.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import { runtimeDirectory } from '../../boxes/record/directories.ts';
import { retryRecord } from '../../boxes/supervise/retry-record.ts';
import { recordEnd } from '../containers/end-container.ts';
import type { PodHost } from '../pod-host.ts';
import { mayHavePodVm } from '../record/states.ts';
import type { RunningPod } from './running-pod.ts';

export type FollowPodHost = Pick<
  PodHost,
  | ('pods' | 'runningPods' | 'podNetworks' | 'podMounts')
  | ('locks' | 'log' | 'engine' | 'runtimeDir')
>;

/** In the background; `running.finished` settles when the record says that the pod is stopped. */
export function followPod(rt: FollowPodHost, running: RunningPod): void {
  running.finished = (async () => {
    const { detail } = await running.vm.exited;
    if (running.released) return;
    // Each records its own end.
    await Promise.all(running.followed.values());
    const failure = 'the end of a pod could not be recorded';
    const isRetried = (): boolean => !running.released;
    await retryRecord(rt, { fields: { pod: running.id }, failure, isRetried }, () =>
      rt.locks.run(running.id, async () => {
        if (!running.released) await endPod(rt, running.id, detail);
      }),
    );
    if (running.released) return;
    rt.runningPods.delete(running);
    await running.release();
  })().catch((error: unknown) => {
    rt.log.error('the end of a pod was not recorded', error, { pod: running.id });
  });
}

/**
 * Ends what is left of a pod's microVM, and records that the pod is stopped. Caller holds the pod's
 * lock.
 */
export async function endPod(
  rt: Pick<PodHost, 'pods' | 'podNetworks' | 'podMounts' | 'engine' | 'runtimeDir' | 'log'>,
  id: string,
  why: string,
): Promise<void> {
  const directory = runtimeDirectory(rt, id);
  await rt.engine.sweep(id, directory);
  // Only after the sweep: until then, its user could put links in the way.
  await rm(directory, { recursive: true, force: true });
  await leaveNode(rt, id);
  for (const { definition } of rt.pods.containers(id)) {
    recordEnd(rt, definition.id, undefined, why);
  }
  const pod = rt.pods.pod(id);
  if (pod !== undefined && mayHavePodVm(pod.state.status)) {
    rt.pods.advancePod(id, 'stopped', { error: why });
  }
}

/**
 * Gives back what the node has prepared for a pod whose microVM is gone. Where that fails, the pod
 * has ended all the same, and it is tried again when it is stopped or removed.
 */
export async function leaveNode(
  rt: Pick<PodHost, 'podNetworks' | 'podMounts' | 'log'>,
  id: string,
): Promise<void> {
  for (const leave of [() => rt.podMounts.end(id), () => rt.podNetworks.detach(id)]) {
    await leave().catch((error: unknown) => {
      rt.log.error('a pod has left something on its node', error, { pod: id });
    });
  }
}
