/**
 * What becomes of execs that nobody follows any more: the agent has room for a limited number of
 * processes, and blocks those whose output is not read.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { linkedSignal } from '../../async/linked-signal.ts';
import { persist } from '../../boxes/run/persist.ts';
import {
  drainProcess,
  drainProcesses,
  killProcess,
} from '../../boxes/supervise/drain-processes.ts';
import type { GuestContainer } from '../../guest/guest-container.ts';
import { finality } from '../../guest/refusal.ts';
import type { RunningPod } from '../launch/running-pod.ts';
import type { PodHost } from '../pod-host.ts';

/** Other execs have no such id: theirs are hexadecimal. */
const SYNC = 'sync';
/** Time for the end of an exec after SIGKILL. */
const KILL_MS = 30_000;

type Host = Pick<PodHost, 'log'>;

/** An exec that this server has started, or is about to start. */
export interface PodExec {
  readonly pod: RunningPod;
  /** The id of its container. */
  readonly container: string;
  readonly id: string;
}

/**
 * Reserves an id, so that adoption leaves the exec to the caller. One of the functions below gives
 * it back.
 *
 * @param sync the exec ends with its caller, also where that is an earlier server
 */
export function newExec(pod: RunningPod, container: string, { sync = false } = {}): PodExec {
  const id = `${sync ? SYNC : ''}${randomBytes(16).toString('hex')}`;
  pod.execs.add(id);
  return { pod, container, id };
}

/** The exec has ended, and its output is read. Never rejects. */
export async function forgetExec(rt: Host, exec: PodExec): Promise<void> {
  await leave(rt, exec, exec.pod.signal, (guest) => guest.forget(exec.id));
}

/** Reads and drops the output of an exec that may run on, until it has ended. Never rejects. */
export async function drainExec(rt: Host, exec: PodExec): Promise<void> {
  const { signal } = exec.pod;
  await leave(rt, exec, signal, async (guest) => {
    await drainProcess(guest, await guest.process(exec.id, signal), signal);
  });
}

/** Ends everything that an exec started. Never rejects. */
export async function killExec(rt: Host, exec: PodExec): Promise<void> {
  const { signal, unlink } = linkedSignal(exec.pod.signal, AbortSignal.timeout(KILL_MS));
  await leave(rt, exec, signal, async (guest) => {
    await killProcess(guest, exec.id);
    await guest.ended(exec.id, signal);
    await guest.forget(exec.id);
  });
  unlink();
}

/**
 * Drains the execs that an earlier server left in a container, and kills those that end with their
 * caller. Never rejects.
 */
export async function drainExecs(rt: Host, pod: RunningPod, container: string): Promise<void> {
  const { execs, signal } = pod;
  const isOwn = (id: string): boolean => execs.has(id);
  const isKilled = (id: string): boolean => id.startsWith(SYNC);
  try {
    await persist(pod, async (guest) => {
      await drainProcesses(guest.container(container), { isOwn, isKilled, signal });
    });
  } catch (error) {
    // The container has ended, and its execs with it.
    if (signal.aborted || finality(error) === 'state') return;
    rt.log.error('execs were lost sight of', error, { container });
  }
}

async function leave(
  rt: Host,
  { pod, container, id }: PodExec,
  signal: AbortSignal,
  work: (guest: GuestContainer) => Promise<void>,
): Promise<void> {
  try {
    await persist({ guest: () => pod.guest(), signal }, (guest) =>
      work(guest.container(container)),
    );
  } catch (error) {
    // It never came to run, or has ended with its container.
    if (pod.signal.aborted || finality(error) === 'state') return;
    rt.log.error('an exec is not forgotten', error, { exec: id });
  } finally {
    pod.execs.delete(id);
  }
}
