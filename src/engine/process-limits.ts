/**
 * Holds processes of a machine to processors of the host and to a share of their time, thread by thread: what a thread
 * makes later inherits both.
 *
 * @module
 */
import { readdirSync, writeFileSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { isCellUid } from '../cell/identity.ts';
import { A3sError } from '../errors.ts';
import { deadline } from './deadline.ts';
import type { HostLimits } from './engine.ts';
import { libc } from './libc.ts';
import { findProcesses, isRunning, type ProcessFence } from './processes.ts';
import { retry } from './retry.ts';

type ProcessLimits = Pick<HostLimits, 'processors' | 'nice'>;

/** As many as Linux counts at most, in bytes. */
const MASK_BYTES = 1024;
/** A program that goes on making threads makes them of threads that are held already, after one look or two. */
const MOST_LOOKS = 64;
const GROUP_MS = 10_000;

/** All processes of the machine that works in a runtime directory, as they are now. @throws A3sError as `limitProcess` does */
export async function limitProcesses(runtimeDir: string, limits: ProcessLimits): Promise<void> {
  for (const each of findProcesses(runtimeDir, isCellUid)) await limitProcess(each, limits);
}

/**
 * One process; nothing for one that is gone.
 *
 * @throws A3sError `invalid-argument` for processors that this host does not let it have, and where only root may lower a nice value
 */
export async function limitProcess(fence: ProcessFence, limits: ProcessLimits): Promise<void> {
  const { schedSetaffinity, errno } = await libc();
  const mask = maskOf(limits.processors);
  const done = new Set<number>();
  for (let look = 0; look < MOST_LOOKS; look++) {
    // Looked at right before: its id may have become another's.
    if (!isRunning(fence)) return;
    const found = threads(fence.pid).filter((thread) => !done.has(thread));
    if (found.length === 0) return await limitGroup(fence, limits.nice);
    for (const thread of found) {
      if (schedSetaffinity(thread, mask) !== 0 && errno() !== constants.errno.ESRCH) {
        throw refused(`processors ${limits.processors.join(',')}`, `error ${errno()}`);
      }
      setNice(thread, limits.nice);
      done.add(thread);
    }
  }
  throw new A3sError(
    'vmm-failed',
    `Cannot limit process ${fence.pid}: it makes threads all the time`,
  );
}

function threads(pid: number): number[] {
  try {
    return readdirSync(`/proc/${pid}/task`).map(Number);
  } catch (error) {
    if (isGone(error)) return [];
    throw error;
  }
}

function setNice(thread: number, nice: number): void {
  try {
    // The kernel takes a thread's id as well.
    setPriority(thread, nice);
  } catch (error) {
    if (!isGone(error)) throw refused(`a nice value of ${nice}`, String(error));
  }
}

/**
 * Each cell is a session, and where the kernel makes sessions into groups of their own (`kernel.sched_autogroup_enabled`), nice
 * values count within the group alone: so the group has one too.
 */
async function limitGroup({ pid }: ProcessFence, nice: number): Promise<void> {
  const attempt = async (): Promise<true | undefined> => {
    try {
      writeFileSync(`/proc/${pid}/autogroup`, String(nice));
      return true;
    } catch (error) {
      // A kernel without such groups has no such file; without a group there is nothing to write to.
      if (isGone(error) || codeOf(error) === 'EINVAL') return true;
      // Others than root may do it ten times a second.
      if (codeOf(error) === 'EAGAIN') return undefined;
      throw refused(`a nice value of ${nice}`, String(error));
    }
  };
  await retry(attempt, deadline(GROUP_MS, 'vmm-failed', `Cannot set the nice value of ${pid}`));
}

/** @param processors none: all that there can be; the kernel takes those that are */
export function maskOf(processors: readonly number[]): Uint8Array {
  const mask = new Uint8Array(MASK_BYTES).fill(processors.length === 0 ? 0xff : 0);
  for (const each of processors) {
    const byte = each >> 3;
    mask[byte] = (mask[byte] ?? 0) | (1 << (each & 7));
  }
  return mask;
}

function refused(what: string, why: string): A3sError {
  return new A3sError('invalid-argument', `Cannot hold the machine to ${what}: ${why}`, {
    remedy: 'Only root may give a running box a larger share of the host’s processors than it has.',
  });
}

function isGone(error: unknown): boolean {
  return ['ENOENT', 'ESRCH'].includes(codeOf(error) ?? '');
}

function codeOf(error: unknown): string | undefined {
  if (!(error instanceof Error && 'code' in error)) return undefined;
  // Node hides the kernel's code of some calls behind one of its own.
  const info = 'info' in error ? error.info : undefined;
  const inner = typeof info === 'object' && info !== null && 'code' in info ? info.code : undefined;
  return String(inner ?? error.code);
}
