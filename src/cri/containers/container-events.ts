/**
 * `GetContainerEvents`.
 *
 * @module
 */
import { now } from '../../boxes/record/clock.ts';
import { A3sError } from '../../errors.ts';
import type { PodChange, PodStore } from '../../pods/record/store.ts';
import type { Answer } from '../answer.ts';
import { ContainerEventType } from '../api/enums.ts';
import type * as cri from '../api/messages.ts';
import { podStatus } from '../pods/describe-pod.ts';
import { containerStatusOf } from './describe-container.ts';

/** Events that wait for a client. One that is behind by more has lost track anyway. */
const MOST_WAITING = 1024;

type Changes = Pick<PodStore, 'onChange' | 'pod' | 'containers'>;

const TYPES: Readonly<Record<PodChange['kind'], number>> = {
  created: ContainerEventType.CONTAINER_CREATED_EVENT,
  started: ContainerEventType.CONTAINER_STARTED_EVENT,
  stopped: ContainerEventType.CONTAINER_STOPPED_EVENT,
  removed: ContainerEventType.CONTAINER_DELETED_EVENT,
};

/**
 * Sends each change from now on, with the states right after it. The event of a pod has the pod's
 * id as the container's, as other runtimes do.
 *
 * @throws A3sError `conflict` for a client that is too slow; it lists all, and comes again
 */
export async function* getContainerEvents(
  { pods }: { readonly pods: Changes },
  signal: AbortSignal,
): AsyncGenerator<Answer<cri.ContainerEventResponse>> {
  const waiting: Answer<cri.ContainerEventResponse>[] = [];
  let wake = (): void => undefined;
  let isLate = false;
  const onAbort = (): void => wake();
  signal.addEventListener('abort', onAbort);
  using _ = pods.onChange((change) => {
    isLate ||= waiting.length === MOST_WAITING;
    // None comes after those that are lost.
    if (!isLate) waiting.push(eventOf(pods, change));
    wake();
  });
  try {
    while (!signal.aborted) {
      const event = waiting.shift();
      if (event !== undefined) yield event;
      else if (isLate) throw late();
      else await new Promise<void>((resolve) => (wake = resolve));
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
  }
}

function eventOf(pods: Changes, { kind, id, pod }: PodChange): Answer<cri.ContainerEventResponse> {
  const found = pods.pod(pod);
  return {
    ...{ containerId: id, containerEventType: TYPES[kind], createdAt: now() },
    ...(found === undefined ? {} : { podSandboxStatus: podStatus(found) }),
    containersStatuses: pods.containers(pod).map(containerStatusOf),
  };
}

function late(): A3sError {
  return new A3sError('conflict', 'The client was too slow: events were lost', {
    remedy: 'List pods and containers (crictl pods, crictl ps -a), and ask for events again.',
  });
}
