/**
 * Records that a container has ended, and gives back all that it had of the pod's microVM.
 *
 * @module
 */
import { now, timestamp } from '../../boxes/record/clock.ts';
import type { Exit } from '../../guest/protocol.ts';
import { guestText } from '../../guest/refusal.ts';
import type { RunningPod } from '../launch/running-pod.ts';
import type { PodHost } from '../pod-host.ts';
import type { ContainerRecordState } from '../record/container.ts';
import { mayBeInGuest } from '../record/states.ts';
import { diskName } from './describe-container.ts';

const KILLED = 137;

export type EndHost = Pick<PodHost, 'pods' | 'podMounts' | 'log'>;

/** Caller holds the pod's lock. Nothing changes for a container that does not run. */
export async function endContainer(
  rt: EndHost,
  running: RunningPod,
  id: string,
  exit: Exit | undefined,
): Promise<void> {
  recordEnd(rt, id, exit, running.vmExit?.detail ?? '');
  await leaveGuest(rt, running, id);
}

/** @param exit undefined: nobody saw it, since the microVM was gone */
export function recordEnd(
  rt: Pick<EndHost, 'pods'>,
  id: string,
  exit: Exit | undefined,
  detail: string,
): void {
  const container = rt.pods.container(id);
  if (container === undefined || !mayBeInGuest(container.state.status)) return;
  rt.pods.advanceContainer(id, 'ended', {
    ...(exit === undefined ? unseen(detail) : seen(exit)),
    finishedAt: timestamp(now()),
  });
}

/** What containers that never ran have, as with other runtimes. */
const NOT_STARTED = 128;

/** Records that a container's program never began. */
export function recordNoStart(rt: Pick<EndHost, 'pods'>, id: string, message: string): void {
  rt.pods.advanceContainer(id, 'ended', {
    ...{ exitCode: NOT_STARTED, reason: 'StartError', message },
    ...{ startedAt: timestamp(0n), finishedAt: timestamp(now()) },
  });
}

type Ending = Pick<ContainerRecordState, 'exitCode' | 'reason' | 'message'>;

function seen({ exitCode, oomKilled, error }: Exit): Ending {
  const reason = oomKilled ? 'OOMKilled' : exitCode === 0 ? 'Completed' : 'Error';
  return { exitCode, reason, message: error ? guestText(error.message) : '' };
}

function unseen(detail: string): Ending {
  const why = detail === '' ? 'the microVM of its pod is gone' : detail;
  return { exitCode: KILLED, reason: 'Error', message: why };
}

/**
 * Removes a container from the guest, and detaches its disks. Where the guest keeps either, they
 * are there until the pod is stopped: the log says so, and the container has ended all the same.
 */
export async function leaveGuest(rt: EndHost, running: RunningPod, id: string): Promise<void> {
  if (running.vmExit !== undefined) return;
  try {
    const guest = await running.guest();
    const containers = await guest.containers(running.signal);
    if (containers.some((each) => each.id === id)) await guest.container(id).remove(running.signal);
  } catch (error) {
    if (running.signal.aborted) return;
    rt.log.error('a container was not removed cleanly from its guest', error, { container: id });
  }
  try {
    await rt.podMounts.remove(running.id, id);
  } catch (error) {
    rt.log.error('paths of the node are still mounted for a container', error, { container: id });
  }
  // A guest without hot-plug gives up no disk. Its containers start again from the same ones.
  if (rt.pods.pod(running.id)?.definition.confidential !== undefined) return;
  try {
    await running.vm.detachDisks(diskName(id));
  } catch (error) {
    if (running.signal.aborted) return;
    rt.log.error('the disks of a container were not detached', error, { container: id });
  }
}
