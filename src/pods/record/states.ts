/**
 * The states of pods and of their containers, and their transitions.
 *
 * ```
 * pod:        starting ──started──▶ ready ──stopped──▶ stopped ──remove──▶ removing
 *                 └───────stopped────────────────────────▲
 * container:  created ──start──▶ starting ──started──▶ running ──ended──▶ exited ──remove──▶ removing
 *                │                   └──────ended───────────────────────────▲ ▲
 *                └───────────────────────ended──────────────────────────────┘
 * ```
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

export const POD_STATUSES = [
  /** On record. Its microVM may exist. */
  'starting',
  'ready',
  /** Its microVM is gone, and so are all processes of its containers. */
  'stopped',
  'removing',
] as const;
export type PodStatus = (typeof POD_STATUSES)[number];
export type PodEvent = 'started' | 'stopped' | 'remove';

export const CONTAINER_STATUSES = [
  /** On record. The guest knows nothing of it. */
  'created',
  /** Its disks and its spec may be with the guest. */
  'starting',
  'running',
  'exited',
  'removing',
] as const;
export type ContainerStatus = (typeof CONTAINER_STATUSES)[number];
export type ContainerEvent = 'start' | 'started' | 'ended' | 'remove';

const PODS: Readonly<Record<PodStatus, Partial<Record<PodEvent, PodStatus>>>> = {
  starting: { started: 'ready', stopped: 'stopped' },
  ready: { stopped: 'stopped' },
  stopped: { remove: 'removing' },
  removing: { remove: 'removing' },
};

const CONTAINERS: Readonly<
  Record<ContainerStatus, Partial<Record<ContainerEvent, ContainerStatus>>>
> = {
  created: { start: 'starting', ended: 'exited', remove: 'removing' },
  starting: { started: 'running', ended: 'exited' },
  running: { ended: 'exited' },
  exited: { remove: 'removing' },
  removing: { remove: 'removing' },
};

/** @throws A3sError `conflict` where the event cannot happen; nothing else decides it */
export function podAfter(status: PodStatus, event: PodEvent): PodStatus {
  return PODS[status][event] ?? refused('pod', status, event);
}

/** @throws A3sError `conflict` where the event cannot happen; nothing else decides it */
export function containerAfter(status: ContainerStatus, event: ContainerEvent): ContainerStatus {
  return CONTAINERS[status][event] ?? refused('container', status, event);
}

/** Whether a pod in this status may have a microVM. */
export function mayHavePodVm(status: PodStatus): boolean {
  return status === 'starting' || status === 'ready';
}

/** Whether the guest may know a container in this status, and have its disks. */
export function mayBeInGuest(status: ContainerStatus): boolean {
  return status === 'starting' || status === 'running';
}

function refused(what: string, status: string, event: string): never {
  throw new A3sError('conflict', `Cannot ${event} a ${what} that is ${status}`);
}
