/**
 * `ContainerStatus`.
 *
 * @module
 */
import type { PodStore } from '../../pods/record/store.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import { containerDetails, containerStatusOf } from './describe-container.ts';

/** @throws A3sError `no-such-container` */
export function containerStatus(
  rt: { readonly pods: PodStore },
  { containerId, verbose }: cri.ContainerStatusRequest,
): Answer<cri.ContainerStatusResponse> {
  const container = rt.pods.expectContainer(rt.pods.fullId('container', containerId));
  return {
    status: containerStatusOf(container),
    info: verbose ? containerDetails(container) : {},
  };
}
