/**
 * A container as CRI describes it.
 *
 * @module
 */
import type { Container } from '../../pods/record/container.ts';
import type { Answer } from '../answer.ts';
import { ContainerState, MountPropagation, Signal } from '../api/enums.ts';
import type * as cri from '../api/messages.ts';
import { nanoseconds } from '../integer.ts';
import { shownLimits } from '../security/limits.ts';

const STATES = {
  created: ContainerState.CONTAINER_CREATED,
  starting: ContainerState.CONTAINER_CREATED,
  running: ContainerState.CONTAINER_RUNNING,
  exited: ContainerState.CONTAINER_EXITED,
  removing: ContainerState.CONTAINER_EXITED,
} as const;

export function describeContainer({ definition, state }: Container) {
  const { id, pod, metadata, image, createdAt, labels, annotations } = definition;
  return {
    ...{ id, podSandboxId: pod, metadata, labels, annotations },
    ...imageOf(image),
    state: STATES[state.status],
    createdAt: nanoseconds(createdAt),
  } satisfies Answer<cri.Container>;
}

/** Kubelet compares `imageId` with what `PullImage` answered. */
function imageOf({ reference, userReference, id }: Container['definition']['image']) {
  return {
    image: { image: reference, userSpecifiedImage: userReference },
    ...{ imageRef: id, imageId: id },
  };
}

export function containerStatusOf({ definition, state }: Container): Answer<cri.ContainerStatus> {
  const { id, metadata, image, createdAt, labels, annotations, logPath, askedLimits } = definition;
  const { exitCode, reason, message } = state;
  return {
    ...{ id, metadata, labels, annotations, logPath, exitCode, reason, message },
    ...imageOf(image),
    state: STATES[state.status],
    createdAt: nanoseconds(createdAt),
    startedAt: nanoseconds(state.startedAt),
    finishedAt: nanoseconds(state.finishedAt),
    resources: { linux: shownLimits(askedLimits) },
    mounts: mountsOf(definition),
    stopSignal: signalNumber(definition.stopSignal),
    ...userOf(state),
  };
}

function mountsOf({ mounts, imageMounts }: Container['definition']): Answer<cri.Mount>[] {
  const propagation = MountPropagation.PROPAGATION_PRIVATE;
  return [
    ...mounts.map(({ recursive, ...mount }) => ({
      ...mount,
      ...{ recursiveReadOnly: recursive, propagation },
    })),
    ...imageMounts.map(({ image, destination, subpath = '' }) => ({
      ...{ image: { image: image.reference, imageRef: image.id }, imageSubPath: subpath },
      ...{ containerPath: destination, readonly: true, propagation },
    })),
  ];
}

/** Of one that was started. */
function userOf({ user }: Container['state']): Pick<Answer<cri.ContainerStatus>, 'user'> {
  if (user === undefined) return {};
  const supplementalGroups = user.groups.map(BigInt);
  return { user: { linux: { uid: BigInt(user.uid), gid: BigInt(user.gid), supplementalGroups } } };
}

/** Its number in CRI's enumeration; none for a signal that an image gives by its number. */
function signalNumber(name: string): number {
  const written = name.replace('+', 'PLUS').replace('-', 'MINUS');
  const found = Object.entries(Signal).find(([each]) => each === written);
  return found?.[1] ?? Signal.RUNTIME_DEFAULT;
}

/** For people: what `crictl inspect` shows and the fields of CRI do not. */
export function containerDetails({ definition, state }: Container): Record<string, string> {
  const { pod, process, confinement, resources, trust, image } = definition;
  const config = { process, confinement, resources, trust, image };
  return { info: JSON.stringify({ sandboxID: pod, status: state.status, config }) };
}
