/**
 * `RunPodSandbox`.
 *
 * @module
 */
import { expectTee } from '../../pods/confidential/expect-tee.ts';
import { runPod } from '../../pods/launch/run-pod.ts';
import type { PodHost } from '../../pods/pod-host.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import { podRequest } from './pod-config.ts';

/** Starts the microVM. A pod has no image, and no process of its own. */
export async function runPodSandbox(
  rt: PodHost,
  request: cri.RunPodSandboxRequest,
  left: AbortSignal,
): Promise<Answer<cri.RunPodSandboxResponse>> {
  const asked = podRequest(request);
  if (asked.confidential !== undefined) await expectTee(rt, asked.confidential.tee);
  const { definition } = await runPod(rt, asked, left);
  return { podSandboxId: definition.id };
}
