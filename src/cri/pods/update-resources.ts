/**
 * `UpdatePodSandboxResources`.
 *
 * @module
 */
import { updatePodLimits } from '../../pods/launch/update-pod-limits.ts';
import type { PodHost } from '../../pods/pod-host.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import { askedLimits, nanoCpusOf } from '../security/limits.ts';

/** What is not named stays. The overhead is that of the microVM, which has its size. */
export async function updatePodSandboxResources(
  rt: PodHost,
  { podSandboxId, resources }: cri.UpdatePodSandboxResourcesRequest,
): Promise<Answer<cri.UpdatePodSandboxResourcesResponse>> {
  const id = rt.pods.fullId('pod', podSandboxId);
  const asked = askedLimits(resources);
  await updatePodLimits(rt, id, {
    memoryBytes: asked.memoryLimitInBytes,
    nanoCpus: nanoCpusOf(asked),
  });
  return {};
}
