/**
 * Limits the processes of a VM to processors of the host and to a share of their time. It sets both
 * for each thread; threads that are made later inherit them.
 *
 * @module
 */
import { readdirSync } from 'node:fs';
import { constants, setPriority } from 'node:os';
import { A3sError } from '../../errors.ts';
import { isRunning, type ProcessFence } from '../../processes/fence.ts';
import { isGone } from '../../processes/gone.ts';
import { libc } from '../libc.ts';
import type { HostLimits } from '../vm/host-limits.ts';
import { findTogether } from './find-together.ts';
import { setSessionNice } from './session-nice.ts';
import { ownProcessors, sharedProcessor } from './shared-processor.ts';

type ProcessLimits = Pick<HostLimits, 'processors' | 'nice'>;

/** As many as Linux counts at most, in bytes. */
const MASK_BYTES = 1024;
/** Threads that a program makes meanwhile are made by limited threads after one or two passes. */
const MOST_LOOKS = 64;

/**
 * Limits all processes of the VM that works in a runtime directory, as they are now. @throws
 * A3sError as `limitProcess` does
 */
export async function limitProcesses(runtimeDir: string, limits: ProcessLimits): Promise<void> {
  if (limits.processors === undefined && limits.nice === undefined) return;
  const found = await findTogether(runtimeDir);
  const count = found.filter(isFileServer).length;
  const { processors } = limits;
  const shared = sharedProcessor({ runtimeDir, count, processors }, await ownProcessors());
  const ofServers =
    shared === undefined || processors === undefined ? limits : { ...limits, processors: [shared] };
  for (const each of found) await limitProcess(each, isFileServer(each) ? ofServers : limits);
}

function isFileServer({ program }: { readonly program: string }): boolean {
  return program === 'virtiofsd';
}

/**
 * Limits one process. Does nothing for a process that is gone.
 *
 * @throws A3sError `invalid-argument` for processors that this host does not let it have, and where
 * only root may lower a nice value; `vmm-failed` where the kernel took no nice value of its session
 * in time
 */
export async function limitProcess(
  fence: ProcessFence,
  { processors, nice }: ProcessLimits,
): Promise<void> {
  if (processors === undefined && nice === undefined) return;
  const { schedSetaffinity, errno } = await libc();
  const mask = processors === undefined ? undefined : maskOf(processors);
  const done = new Set<number>();
  for (let look = 0; look < MOST_LOOKS; look++) {
    // The identity is checked right before the call: the id may belong to another process by now.
    if (!isRunning(fence)) return;
    const found = threads(fence.pid).filter((thread) => !done.has(thread));
    if (found.length === 0) {
      if (nice !== undefined) await setGroupNice(fence.pid, nice);
      return;
    }
    for (const thread of found) {
      const failed = mask !== undefined && schedSetaffinity(thread, mask) !== 0;
      if (failed && errno() !== constants.errno.ESRCH) {
        throw refused(`processors ${processors?.join(',')}`, `error ${errno()}`);
      }
      if (nice !== undefined) setNice(thread, nice);
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

async function setGroupNice(pid: number, nice: number): Promise<void> {
  try {
    await setSessionNice(pid, nice);
  } catch (error) {
    throw error instanceof A3sError ? error : refused(`a nice value of ${nice}`, String(error));
  }
}

/**
 * @param processors empty: all that the host can have; the kernel ignores those that do not exist
 */
export function maskOf(processors: readonly number[]): Uint8Array {
  const mask = new Uint8Array(MASK_BYTES).fill(processors.length === 0 ? 0xff : 0);
  for (const each of processors) {
    const byte = each >> 3;
    mask[byte] = (mask[byte] ?? 0) | (1 << (each & 7));
  }
  return mask;
}

function refused(what: string, why: string): A3sError {
  return new A3sError('invalid-argument', `Cannot hold the microVM to ${what}: ${why}`, {
    remedy: 'Only root may give a running box a larger share of the host’s processors than it has.',
  });
}
