/**
 * Runs a pod: puts it on record, and starts its microVM.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { closeSync } from 'node:fs';
import { chmod, mkdir, rm } from 'node:fs/promises';
import { now, timestamp } from '../../boxes/record/clock.ts';
import { takenUids } from '../../boxes/record/taken-uids.ts';
import type { PodHost } from '../pod-host.ts';
import { podDirectory, podsDirectory } from '../record/directories.ts';
import type { Pod } from '../record/pod.ts';
import { podMac } from './describe-pod.ts';
import { followPod, leaveNode } from './follow-pod.ts';
import { launchPod } from './launch-pod.ts';
import type { PodRequest } from './pod-request.ts';
import type { RunningPod } from './running-pod.ts';

/**
 * Returns when the pod is ready for containers.
 *
 * @param signal of the caller; where it gives up, nothing of the pod is left
 * @throws A3sError `name-in-use`, and what a microVM fails with; nothing is left then
 */
export async function runPod(rt: PodHost, request: PodRequest, signal: AbortSignal): Promise<Pod> {
  const bootSet = await rt.boot.current();
  // The addresses of a confidential pod are constants of its agent, and none of the node's.
  const network =
    request.network === 'default' &&
    request.confidential === undefined &&
    (await rt.podNetworks.isConfigured())
      ? 'cni'
      : request.network;
  const id = randomBytes(32).toString('hex');
  return await rt.locks.run(id, async () => {
    // Nothing is awaited from here to the record, so that no identity is given twice.
    const identity = rt.identityFor(takenUids(rt));
    const createdAt = timestamp(now());
    const pod = rt.pods.insertPod({ ...request, network, id, createdAt, bootSet, identity });
    try {
      await makePodDirectory(rt, id);
      const shared =
        request.confidential === undefined ? await rt.podMounts.prepare(id) : undefined;
      const { running, addresses } = await startPod(rt, pod, shared, signal);
      followPod(rt, running);
      return rt.pods.advancePod(id, 'started', {
        ...(addresses === undefined ? {} : { addresses }),
        ...(shared === undefined ? {} : { mounts: true }),
      });
    } catch (error) {
      // What a server that stops has begun, the next one ends.
      if (rt.runningPods.get(id) === undefined) {
        await leaveNode(rt, id);
        await rm(podDirectory(rt, id), { recursive: true, force: true });
        rt.pods.removePod(id);
      }
      throw error;
    }
  });
}

/** In the network that pods share, where its record says so. */
async function startPod(
  rt: PodHost,
  pod: Pod,
  shared: string | undefined,
  signal: AbortSignal,
): Promise<{ running: RunningPod; addresses?: string[] }> {
  const { id, network, metadata, ports } = pod.definition;
  if (network !== 'cni')
    return { running: await launchPod(rt, pod, { attached: undefined, shared }, signal) };
  const { name, namespace, uid } = metadata;
  const place = { pod: id, name, namespace, uid, mac: podMac(id), ports };
  const attached = await rt.podNetworks.attach(place);
  try {
    const running = await launchPod(rt, pod, { attached, shared }, signal);
    return { running, addresses: [...attached.addresses] };
  } finally {
    // The VMM has its own, or was not started.
    closeSync(attached.tap);
  }
}

async function makePodDirectory(rt: Pick<PodHost, 'home'>, id: string): Promise<void> {
  await mkdir(podsDirectory(rt), { recursive: true, mode: 0o700 });
  await mkdir(podDirectory(rt, id), { mode: 0o711 });
  await chmod(podDirectory(rt, id), 0o711);
}
