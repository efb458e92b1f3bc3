/**
 * Stops and removes pods.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import { removeEnded } from '../containers/remove-container.ts';
import type { PodHost } from '../pod-host.ts';
import { podDirectory } from '../record/directories.ts';
import { mayHavePodVm } from '../record/states.ts';
import { endPod, type FollowPodHost } from './follow-pod.ts';

/**
 * Ends the microVM of a pod, and with it all of its containers. A pod that is stopped, or not
 * there, stays as it is.
 */
export async function stopPod(rt: FollowPodHost, id: string): Promise<void> {
  const running = rt.runningPods.get(id);
  if (running !== undefined) {
    await running.vm.kill();
    await running.finished;
  }
  await rt.locks.run(id, async () => {
    const pod = rt.pods.pod(id);
    // The node has nothing for it. Its id may be any text of a client, and becomes no path.
    if (pod === undefined) return;
    // One that could not be adopted.
    if (mayHavePodVm(pod.state.status)) await endPod(rt, id, '');
    // What could not be done at its end is done now, or the caller learns why not.
    await rt.podMounts.end(id);
    await rt.podNetworks.detach(id);
  });
}

/** Stops a pod, and removes it with its containers. A pod that is not there is no error. */
export async function removePod(
  rt: FollowPodHost & Pick<PodHost, 'home'>,
  id: string,
): Promise<void> {
  if (rt.pods.pod(id) === undefined) return;
  await stopPod(rt, id);
  await rt.locks.run(id, () => removeStopped(rt, id));
}

/** Caller holds the pod's lock. @throws A3sError `conflict` where it is not stopped */
export async function removeStopped(rt: Pick<PodHost, 'pods' | 'home'>, id: string): Promise<void> {
  if (rt.pods.pod(id) === undefined) return;
  rt.pods.advancePod(id, 'remove');
  for (const { definition } of rt.pods.containers(id)) await removeEnded(rt, definition.id);
  await rm(podDirectory(rt, id), { recursive: true, force: true });
  rt.pods.removePod(id);
}
