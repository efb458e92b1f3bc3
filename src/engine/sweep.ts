/**
 * Ends everything that works in a machine's runtime directory, whoever started it.
 *
 * @module
 */
import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { isCellUid } from '../cell/identity.ts';
import { findProcesses, killProcess, untilGone } from './processes.ts';

/** Sockets of QEMU, passt and virtiofsd, and the lock file beside a virtiofsd's. */
const SOCKETS = /^(?:qmp|ctl|passt|fs\d+)\.sock(?:\.pid)?$/;

/** @returns when no process is left and the sockets are removed; the directory itself stays */
export async function endProcesses(runtimeDir: string): Promise<void> {
  // Again, until none is found: a helper may have been in the middle of its start.
  for (;;) {
    const found = findProcesses(runtimeDir, isCellUid);
    if (found.length === 0) break;
    for (const each of found) killProcess(each);
    // Without a deadline: nothing but a stuck kernel keeps a killed process, and then it is not gone.
    await untilGone(found, new AbortController().signal);
  }
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
