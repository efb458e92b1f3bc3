/**
 * `ListPodSandbox` and `StreamPodSandboxes`.
 *
 * @module
 */
import type { PodStore } from '../../pods/record/store.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import { inPieces } from '../in-pieces.ts';
import { hasLabels } from '../label-selector.ts';
import { describePod } from './describe-pod.ts';

interface Host {
  readonly pods: PodStore;
}

export function listPods(
  rt: Host,
  { filter }: cri.ListPodSandboxRequest,
): Answer<cri.ListPodSandboxResponse> {
  return { items: wanted(rt, filter) };
}

export async function* streamPods(
  rt: Host,
  { filter }: cri.StreamPodSandboxesRequest,
): AsyncGenerator<Answer<cri.StreamPodSandboxesResponse>> {
  for (const podSandboxes of inPieces(wanted(rt, filter))) yield { podSandboxes };
}

/** All that the filter names has to hold. */
function wanted({ pods }: Host, filter: cri.PodSandboxFilter | undefined) {
  const { id = '', state, labelSelector = {} } = filter ?? {};
  const full = id === '' ? '' : pods.fullId('pod', id);
  return pods
    .pods()
    .map(describePod)
    .filter((pod) => full === '' || pod.id === full)
    .filter((pod) => state === undefined || pod.state === state.state)
    .filter(({ labels }) => hasLabels(labels, labelSelector));
}
