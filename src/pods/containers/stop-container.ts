/**
 * Stops a container.
 *
 * @module
 */
import { setTimeout as delay } from 'node:timers/promises';
import { A3sError } from '../../errors.ts';
import { MAIN } from '../../guest/protocol.ts';
import { finality } from '../../guest/refusal.ts';
import type { RunningPod } from '../launch/running-pod.ts';
import type { PodHost } from '../pod-host.ts';
import { mayBeInGuest } from '../record/states.ts';

/** Time for the end of a container after SIGKILL. */
const KILL_MS = 30_000;
const STOP_POD = 'Stop its pod, which ends its microVM: crictl stopp POD';

/**
 * Sends the stop signal to the main process, and SIGKILL after the timeout. Returns when the record
 * says that the container has ended. One that does not run, or is not there, stays as it is.
 *
 * @param graceMs 0: SIGKILL at once
 * @param signal of the caller; where it gives up, the container may run on
 * @throws A3sError `agent-timeout` where the container does not end
 */
export async function stopContainer(
  rt: Pick<PodHost, 'pods' | 'runningPods' | 'locks'>,
  id: string,
  graceMs: number,
  signal?: AbortSignal,
): Promise<void> {
  const container = rt.pods.container(id);
  if (container === undefined) return;
  const { pod, stopSignal } = container.definition;
  const found = followedIn(rt, id, pod) ?? (await followedLater(rt, id, pod));
  if (found === undefined) return;
  signal?.throwIfAborted();
  const { running, followed } = found;
  if (graceMs > 0) {
    await send(running, id, stopSignal);
    if (await settles(followed, graceMs, signal)) return expectEnded(rt, id);
    signal?.throwIfAborted();
  }
  await send(running, id, 'SIGKILL');
  if (await settles(followed, KILL_MS, signal)) return expectEnded(rt, id);
  signal?.throwIfAborted();
  throw new A3sError('agent-timeout', `The container ${id} did not end after SIGKILL`, {
    remedy: STOP_POD,
  });
}

interface Followed {
  readonly running: RunningPod;
  /** Settles when the record says that the container has ended. */
  readonly followed: Promise<void>;
}

function followedIn(
  rt: Pick<PodHost, 'runningPods'>,
  id: string,
  pod: string,
): Followed | undefined {
  const running = rt.runningPods.get(pod);
  const followed = running?.followed.get(id);
  return running === undefined || followed === undefined ? undefined : { running, followed };
}

/**
 * Waits for what holds the pod's lock: a start of the container, the pod's adoption by this server,
 * or its end. Undefined where the container does not run then.
 *
 * @throws A3sError `agent-timeout` where nobody can say whether it runs
 */
async function followedLater(
  rt: Pick<PodHost, 'pods' | 'runningPods' | 'locks'>,
  id: string,
  pod: string,
): Promise<Followed | undefined> {
  const found = await rt.locks.run(pod, async () => followedIn(rt, id, pod));
  if (found !== undefined) return found;
  const container = rt.pods.container(id);
  if (container === undefined || !mayBeInGuest(container.state.status)) return undefined;
  throw new A3sError(
    'agent-timeout',
    `Cannot stop the container ${id}: its guest does not answer`,
    {
      remedy: STOP_POD,
    },
  );
}

/** @throws A3sError `conflict` where this server has left the container before its end */
function expectEnded(rt: Pick<PodHost, 'pods'>, id: string): void {
  const container = rt.pods.container(id);
  if (container === undefined || !mayBeInGuest(container.state.status)) return;
  throw new A3sError('conflict', `The end of the container ${id} was not seen`, {
    remedy: 'Try again: the server is stopping.',
  });
}

async function send(running: RunningPod, id: string, signal: string): Promise<void> {
  try {
    await (await running.guest()).container(id).signal(MAIN, signal);
  } catch (error) {
    // It has ended meanwhile, or its microVM has.
    if (finality(error) !== 'state' && !running.signal.aborted) throw error;
  }
}

/** Whether `work` settles in time. */
async function settles(
  work: Promise<void>,
  ms: number,
  given: AbortSignal | undefined,
): Promise<boolean> {
  const timer = new AbortController();
  const abort = (): void => timer.abort();
  given?.addEventListener('abort', abort);
  if (given?.aborted === true) abort();
  const late = delay(ms, false, { signal: timer.signal }).catch(() => false);
  try {
    return await Promise.race([work.then(() => true), late]);
  } finally {
    timer.abort();
    given?.removeEventListener('abort', abort);
  }
}
