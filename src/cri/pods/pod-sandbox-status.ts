/**
 * `PodSandboxStatus`.
 *
 * @module
 */
import { now } from '../../boxes/record/clock.ts';
import type { PodStore } from '../../pods/record/store.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import { containerStatusOf } from '../containers/describe-container.ts';
import { podDetails, podStatus } from './describe-pod.ts';

/** @throws A3sError `no-such-pod` */
export function podSandboxStatus(
  rt: { readonly pods: PodStore },
  { podSandboxId, verbose }: cri.PodSandboxStatusRequest,
): Answer<cri.PodSandboxStatusResponse> {
  const pod = rt.pods.expectPod(rt.pods.fullId('pod', podSandboxId));
  return {
    status: podStatus(pod),
    info: verbose ? podDetails(pod) : {},
    containersStatuses: rt.pods.containers(pod.definition.id).map(containerStatusOf),
    timestamp: now(),
  };
}
