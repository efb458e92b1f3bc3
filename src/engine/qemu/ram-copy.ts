/**
 * A copy of a template's RAM for one machine, which shares it with its device processes.
 *
 * It lies in memory and has no name: guest RAM never lies on a disk.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { constants } from 'node:fs';
import { type FileHandle, open, statfs } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { CellIdentity } from '../../cell/cell.ts';
import { A3sError } from '../../errors.ts';
import type { Template } from '../engine.ts';

const DIRECTORY = '/dev/shm';
const TMPFS_MAGIC = 0x01021994;
/** `O_TMPFILE` of Linux on x86-64: a file without a name. */
const O_TMPFILE = 0o20200000;
const COPY_MS = 30_000;
const run = promisify(execFile);

export interface PrivateRam {
  /** Open for reading and writing; the identity may open it anew. */
  readonly file: FileHandle;
  /** Settles when it holds all that the template does. */
  readonly filled: Promise<void>;
}

/** @throws A3sError `out-of-memory` where there is no room in memory for it */
export async function privateRam(template: Template, identity: CellIdentity): Promise<PrivateRam> {
  await checkRoom(template.memoryBytes);
  const file = await open(DIRECTORY, constants.O_RDWR | O_TMPFILE, 0o600);
  try {
    if (process.geteuid?.() === 0) await file.chown(identity.uid, identity.gid);
    await file.truncate(template.memoryBytes);
  } catch (error) {
    await file.close();
    throw error;
  }
  const filled = fill(template.ram, file.fd);
  // Whoever waits for it learns of it; until then nobody may.
  filled.catch(() => undefined);
  return { file, filled };
}

async function checkRoom(bytes: number): Promise<void> {
  const { type, bavail, bsize } = await statfs(DIRECTORY);
  const need = (why: string): A3sError =>
    new A3sError('out-of-memory', `Cannot copy a machine's RAM to ${DIRECTORY}: ${why}`, {
      remedy: `Mount a tmpfs there with room for it, such as mount -o remount,size=50% ${DIRECTORY}.`,
    });
  if (type !== TMPFS_MAGIC) throw need('it is not in memory');
  // As large as it may grow: a guest that writes to a page without room behind it would be killed.
  if (bavail * bsize < bytes) throw need(`${bytes / 2 ** 20} MiB are needed`);
}

async function fill(from: number, to: number): Promise<void> {
  const args = [
    '--sparse=always',
    `/proc/${process.pid}/fd/${from}`,
    `/proc/${process.pid}/fd/${to}`,
  ];
  await run('/usr/bin/cp', args, { timeout: COPY_MS, env: { LC_ALL: 'C.UTF-8' }, cwd: '/' });
}
