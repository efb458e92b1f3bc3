/**
 * `CreateContainer`.
 *
 * @module
 */
import { createContainer as create } from '../../pods/containers/create-container.ts';
import type { PodHost } from '../../pods/pod-host.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import { containerRequest } from './container-config.ts';

/** The image has to be there: kubelet pulls it before. */
export async function createContainer(
  rt: PodHost,
  { podSandboxId, config }: cri.CreateContainerRequest,
): Promise<Answer<cri.CreateContainerResponse>> {
  const pod = rt.pods.expectPod(rt.pods.fullId('pod', podSandboxId)).definition;
  const container = await create(rt, pod.id, await containerRequest(config, pod));
  return { containerId: container.definition.id };
}
