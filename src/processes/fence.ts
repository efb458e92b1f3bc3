/**
 * Identifies processes that are no children of this one, through `/proc`, so that a server that did
 * not start them can end them and wait for that.
 *
 * A process id alone may belong to another process by now, so each process is also identified by
 * its start time. A zombie counts as gone: it has no memory, no files and no code, and its parent
 * may never reap it. A process that is still ending does not: its sockets, and so its ports, are
 * closed later than its command line is gone, and not before its last thread has ended.
 *
 * @module
 */
import { readFileSync } from 'node:fs';
import { retry } from '../async/retry.ts';
import { codeOf, isGone } from './gone.ts';

export interface ProcessFence {
  readonly pid: number;
  /** In clock ticks since the host's start. */
  readonly startTime: string;
}

/** What `/proc/PID/stat` says of a process. */
export interface ProcessStat extends ProcessFence {
  readonly parent: number;
  /** Whether its first thread is ending or has ended. Others may run, and it may hold files yet. */
  readonly ending: boolean;
}

/** Undefined: there is none of this number, or it is a zombie. */
export function statOf(pid: number): ProcessStat | undefined {
  const stat = readProc(`/proc/${pid}/stat`);
  if (stat === undefined) return undefined;
  // The name, in parentheses, may hold anything; what follows the last one is fields 3 and up.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  const [state, parent, flags, threads, startTime] = [0, 1, 6, 17, 19].map((at) => fields[at]);
  if (state === undefined || startTime === undefined) return undefined;
  // The first thread of a process is a zombie while others end, which have its files yet.
  if ('ZX'.includes(state) && Number(threads) <= 1) return undefined;
  const ending = (Number(flags) & PF_EXITING) !== 0;
  return { pid, startTime, parent: Number(parent), ending };
}

/** Of the kernel's `include/linux/sched.h`. */
const PF_EXITING = 0x4;

/** Whether the process still runs or ends: the same one, and not a zombie. */
export function isRunning({ pid, startTime }: ProcessFence): boolean {
  return statOf(pid)?.startTime === startTime;
}

/**
 * Kills the process at once. Its start time is checked right before, which is the best that a
 * process can do without pidfds.
 */
export function killProcess(fence: ProcessFence): void {
  if (!isRunning(fence)) return;
  try {
    process.kill(fence.pid, 'SIGKILL');
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** Waits until all are gone. There is no event for the end of a process that is not a child. */
export async function untilGone(
  fences: readonly ProcessFence[],
  signal: AbortSignal,
): Promise<void> {
  await retry(async () => (fences.some(isRunning) ? undefined : true), signal);
}

/** The real user of a process; undefined where it has ended. */
export function userOf(pid: number): number | undefined {
  const uid = /^Uid:\t(\d+)\t/m.exec(readProc(`/proc/${pid}/status`) ?? '')?.[1];
  return uid === undefined ? undefined : Number(uid);
}

/**
 * The content of a file of `/proc`; undefined where the process has ended, or is another user's.
 */
export function readProc(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    if (isGone(error) || codeOf(error) === 'EACCES') return undefined;
    throw error;
  }
}
