/**
 * `StopPodSandbox` and `RemovePodSandbox`. A pod that is not there is no error of either.
 *
 * @module
 */
import { removePod, stopPod } from '../../pods/launch/stop-pod.ts';
import type { PodHost } from '../../pods/pod-host.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';

export async function stopPodSandbox(
  rt: PodHost,
  { podSandboxId }: cri.StopPodSandboxRequest,
): Promise<Answer<cri.StopPodSandboxResponse>> {
  await stopPod(rt, rt.pods.fullId('pod', podSandboxId));
  return {};
}

export async function removePodSandbox(
  rt: PodHost,
  { podSandboxId }: cri.RemovePodSandboxRequest,
): Promise<Answer<cri.RemovePodSandboxResponse>> {
  await removePod(rt, rt.pods.fullId('pod', podSandboxId));
  return {};
}
