/**
 * Ends every process of the VM that works in a runtime directory, no matter which server started
 * it. Root may remove that directory only afterwards: the VM's user owns it, and could put links
 * into the path that root removes.
 *
 * @module
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { retry } from '../../async/retry.ts';
import { killProcess } from '../../processes/fence.ts';
import { findTogether } from './find-together.ts';
import { KEEPER } from './processes.ts';

/** Sockets of QEMU, passt and virtiofsd, and the lock file beside a virtiofsd's. */
const SOCKETS = /^(?:qmp|ctl|sp|passt|fs\d+)\.sock(?:\.pid)?$/;

/** How long a jail's keeper may take to reap its dead program before the keeper is killed too. */
const KEEPER_MS = 1000;

/** @returns when no process is left and the sockets are removed; the directory itself stays */
export async function endProcesses(runtimeDir: string): Promise<void> {
  let empty = 0;
  const deadline = performance.now() + KEEPER_MS;
  const attempt = async (): Promise<true | undefined> => {
    // The processes are listed again each time: a helper may be in the middle of its start.
    const found = await findTogether(runtimeDir);
    const waits = performance.now() < deadline;
    // A keeper ends by itself, and reaps its program. If it were killed first, it would leave a
    // zombie to the system's init, which in a container may never reap it.
    for (const each of found) if (!waits || each.program !== KEEPER) killProcess(each);
    // Two passes: a pass walks the process ids once, and a process that forks meanwhile may already
    // be behind it and its child's id before it.
    empty = found.length === 0 ? empty + 1 : 0;
    return empty === 2 || undefined;
  };
  // Without a deadline: only a stuck kernel keeps a killed process, and then the process is not
  // gone.
  await retry(attempt, new AbortController().signal);
  await removeSockets(runtimeDir);
}

/** For a VM that has no process left. */
export async function removeSockets(runtimeDir: string): Promise<void> {
  for (const name of await list(runtimeDir)) {
    if (SOCKETS.test(name)) await rm(join(runtimeDir, name), { force: true });
  }
}

async function list(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return [];
    throw error;
  }
}
