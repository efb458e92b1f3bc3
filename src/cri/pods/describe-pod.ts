/**
 * A pod as CRI describes it.
 *
 * @module
 */
import type { Pod } from '../../pods/record/pod.ts';
import type { Answer } from '../answer.ts';
import { NamespaceMode, PodSandboxState } from '../api/enums.ts';
import type * as cri from '../api/messages.ts';
import { nanoseconds } from '../integer.ts';

export function describePod({ definition, state }: Pod) {
  const { id, metadata, createdAt, labels, annotations, runtimeHandler } = definition;
  const { SANDBOX_READY, SANDBOX_NOTREADY } = PodSandboxState;
  return {
    ...{ id, metadata, labels, annotations, runtimeHandler },
    state: state.status === 'ready' ? SANDBOX_READY : SANDBOX_NOTREADY,
    createdAt: nanoseconds(createdAt),
  } satisfies Answer<cri.PodSandbox>;
}

/** Without an address, none reaches the pod from outside of its microVM. */
export function podStatus(pod: Pod): Answer<cri.PodSandboxStatus> {
  const { POD, CONTAINER } = NamespaceMode;
  const pid = pod.definition.pids === 'pod' ? POD : CONTAINER;
  return {
    ...describePod(pod),
    network: networkOf(pod),
    linux: { namespaces: { options: { network: POD, ipc: POD, pid } } },
  };
}

function networkOf({ state: { addresses = [] } }: Pod): Answer<cri.PodSandboxNetworkStatus> {
  const [ip = '', ...additional] = addresses;
  return { ip, additionalIps: additional.map((each) => ({ ip: each })) };
}

/** For people: what `crictl inspectp` shows and the fields of CRI do not. */
export function podDetails({ definition, state }: Pod): Record<string, string> {
  const { bootSet, hostname, names, ports, memoryBytes, nanoCpus, privileged } = definition;
  const { confidential } = definition;
  const config = {
    ...{ bootSet, hostname, names, ports, memoryBytes, nanoCpus, privileged },
    // Its launch spec is in the annotation.
    ...(confidential && { tee: confidential.tee, hostData: confidential.specDigest }),
  };
  return { info: JSON.stringify({ ...state, config }) };
}
