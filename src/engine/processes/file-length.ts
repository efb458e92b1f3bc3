/**
 * How long the files become that a VMM writes: a VMM that its guest has taken over cannot fill the
 * host's disks by those that it was given.
 *
 * The kernel has one limit for all files of a process. So it is that of the longest one that the
 * VMM may need, and this process raises it for a longer one that the VMM gets later.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { stat } from 'node:fs/promises';
import { promisify } from 'node:util';
import { A3sError } from '../../errors.ts';
import { findTool } from '../../jail/tools.ts';
import { isRunning, type ProcessFence } from '../../processes/fence.ts';
import { isGone } from '../../processes/gone.ts';
import type { Disk } from '../vm/devices.ts';

/**
 * A qcow2 file is longer than its disk by its tables, and saved memory by its page numbers and what
 * was attached beyond what was asked for.
 */
const TABLES = 1 / 1024;
const BESIDES = 256 * 2 ** 20;
const DEADLINE_MS = 30_000;

/** How long files become of a VM with these disks and this memory. */
export async function fileLength(disks: readonly Disk[], memoryBytes: number): Promise<number> {
  return withTables(Math.max(memoryBytes, await longestDisk(disks)));
}

/** The length of a block device is its own. */
async function longestDisk(disks: readonly Disk[]): Promise<number> {
  // The lowest file of several has the disk's whole length.
  const paths = disks.flatMap(({ path, backing = [] }) => [path, ...backing]);
  const sizes = await Promise.all(paths.map(async (path) => (await stat(path)).size));
  return Math.max(0, ...sizes);
}

function withTables(bytes: number): number {
  return Math.ceil(bytes * (1 + TABLES)) + BESIDES;
}

/**
 * Lets a VMM write these disks as well. Nothing happens where its files may be as long already.
 *
 * Root does it as the user of the VMM, which takes no capability over others' limits.
 *
 * @throws A3sError `state-unusable` for a file that is not there; `vmm-failed` where the kernel
 * refuses
 */
export async function allowDisks(vmm: ProcessFence, disks: readonly Disk[]): Promise<void> {
  const writable = disks.filter(({ readonly }) => !readonly);
  if (writable.length === 0) return;
  const needed = withTables(await longestDisk(writable).catch(unusable));
  const [prlimit, setpriv] = await Promise.all([findTool('prlimit'), findTool('setpriv')]);
  const found = readProcess(vmm.pid);
  if (found === undefined || found.most >= needed) return;
  const raise = [prlimit, `--pid=${vmm.pid}`, `--fsize=${needed}:`];
  const own = process.geteuid?.() === found.uid;
  const as = own ? [] : [setpriv, `--reuid=${found.uid}`, `--regid=${found.gid}`, '--clear-groups'];
  const [program = prlimit, ...args] = [...as, ...raise];
  // The identity is checked right before the call: the id may belong to another process by now.
  if (!isRunning(vmm)) return;
  try {
    await promisify(execFile)(program, args, { timeout: DEADLINE_MS });
  } catch (error) {
    throw refused(error);
  }
}

/** Of a process its user, and how long its files may become; undefined: it has ended. */
function readProcess(pid: number): { uid: number; gid: number; most: number } | undefined {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const limits = readFileSync(`/proc/${pid}/limits`, 'utf8');
    const idOf = (name: string): number =>
      Number(new RegExp(`^${name}:\\t(\\d+)\\t`, 'm').exec(status)?.[1]);
    const most = /^Max file size {2,}(\d+) /m.exec(limits)?.[1];
    return {
      ...{ uid: idOf('Uid'), gid: idOf('Gid') },
      most: most === undefined ? Number.POSITIVE_INFINITY : Number(most),
    };
  } catch (error) {
    if (isGone(error)) return undefined;
    throw error;
  }
}

function unusable(cause: unknown): never {
  const why = cause instanceof Error ? cause.message : String(cause);
  throw new A3sError('state-unusable', `Cannot attach a disk to a microVM: ${why}`, { cause });
}

function refused(cause: unknown): A3sError {
  const why = cause instanceof Error ? cause.message : String(cause);
  return new A3sError('vmm-failed', `Cannot let the VMM write a longer disk: ${why}`, {
    remedy: 'Raise the limit of file sizes of the control server (LimitFSIZE of its service).',
    cause,
  });
}
