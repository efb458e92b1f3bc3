/**
 * Runs a pod: puts it on record, and starts its microVM.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { now, timestamp } from '../../boxes/record/clock.ts';
import { takenUids } from '../../boxes/record/taken-uids.ts';
import type { PodHost } from '../pod-host.ts';
import { podDirectory, podsDirectory } from '../record/directories.ts';
import type { Pod } from '../record/pod.ts';
import { followPod } from './follow-pod.ts';
import { launchPod } from './launch-pod.ts';
import type { PodRequest } from './pod-request.ts';

/**
 * Returns when the pod is ready for containers.
 *
 * @param signal of the caller; where it gives up, nothing of the pod is left
 * @throws A3sError `name-in-use`, and what a microVM fails with; nothing is left then
 */
export async function runPod(rt: PodHost, request: PodRequest, signal: AbortSignal): Promise<Pod> {
  const bootSet = await rt.boot.current();
  const id = randomBytes(32).toString('hex');
  return await rt.locks.run(id, async () => {
    // Nothing is awaited from here to the record, so that no identity is given twice.
    const identity = rt.identityFor(takenUids(rt));
    const createdAt = timestamp(now());
    const pod = rt.pods.insertPod({ ...request, id, createdAt, bootSet, identity });
    try {
      await makePodDirectory(rt, id);
      const running = await launchPod(rt, pod, signal);
      followPod(rt, running);
      return rt.pods.advancePod(id, 'started');
    } catch (error) {
      // What a server that stops has begun, the next one ends.
      if (rt.runningPods.get(id) === undefined) {
        await rm(podDirectory(rt, id), { recursive: true, force: true });
        rt.pods.removePod(id);
      }
      throw error;
    }
  });
}

async function makePodDirectory(rt: Pick<PodHost, 'home'>, id: string): Promise<void> {
  await mkdir(podsDirectory(rt), { recursive: true, mode: 0o700 });
  await mkdir(podDirectory(rt, id), { mode: 0o711 });
  await chmod(podDirectory(rt, id), 0o711);
}
