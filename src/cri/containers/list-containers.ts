/**
 * `ListContainers` and `StreamContainers`.
 *
 * @module
 */
import type { PodStore } from '../../pods/record/store.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import { inPieces } from '../in-pieces.ts';
import { hasLabels } from '../label-selector.ts';
import { describeContainer } from './describe-container.ts';

interface Host {
  readonly pods: PodStore;
}

export function listContainers(
  rt: Host,
  { filter }: cri.ListContainersRequest,
): Answer<cri.ListContainersResponse> {
  return { containers: wanted(rt, filter) };
}

export async function* streamContainers(
  rt: Host,
  { filter }: cri.StreamContainersRequest,
): AsyncGenerator<Answer<cri.StreamContainersResponse>> {
  for (const containers of inPieces(wanted(rt, filter))) yield { containers };
}

/** All that the filter names has to hold. */
function wanted({ pods }: Host, filter: cri.ContainerFilter | undefined) {
  const { id = '', podSandboxId = '', state, labelSelector = {} } = filter ?? {};
  const full = id === '' ? '' : pods.fullId('container', id);
  const pod = podSandboxId === '' ? undefined : pods.fullId('pod', podSandboxId);
  return pods
    .containers(pod)
    .map(describeContainer)
    .filter((container) => full === '' || container.id === full)
    .filter((container) => state === undefined || container.state === state.state)
    .filter(({ labels }) => hasLabels(labels, labelSelector));
}
