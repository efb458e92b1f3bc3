/**
 * Where the memory of snapshots lies: in memory, in a directory that only this user can enter. It outlives the server, and nothing
 * of it outlives the host's next start.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { lstat, mkdir, readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { availableBytes } from '../engine/memory.ts';
import { A3sError } from '../errors.ts';

const SHARED_MEMORY = '/dev/shm';
const TMPFS_MAGIC = 0x01021994;
const RAMFS_MAGIC = 0x858458f6;
const MEBIBYTE = 2 ** 20;

/** The one of this user and home. */
export function memoryDirectory(home: string, uid: number, parent = SHARED_MEMORY): string {
  const digest = createHash('sha256').update(home).digest('hex').slice(0, 16);
  return join(parent, `a3s-box-${uid}-${digest}`);
}

/**
 * Makes it where it is missing.
 *
 * @throws A3sError `state-unusable` where it is not in memory, or not this user's alone: others can make directories beside it
 */
export async function ensureMemoryDirectory(path: string, uid: number): Promise<void> {
  await mkdir(path, { mode: 0o700 }).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'EEXIST') return;
    throw new A3sError('state-unusable', `Cannot make ${path}: ${error.message}`, {
      remedy: `Mount a tmpfs on ${SHARED_MEMORY}.`,
      cause: error,
    });
  });
  await isOurs(path, uid);
  const { type } = await statfs(path);
  if (type !== TMPFS_MAGIC && type !== RAMFS_MAGIC) {
    throw new A3sError(
      'state-unusable',
      `Cannot keep the memory of boxes in ${path}: it is on a disk`,
      {
        remedy: `Mount a tmpfs on ${SHARED_MEMORY}.`,
      },
    );
  }
}

/**
 * Whether it is there. To be asked before anything in it is read or removed: beside it others can make directories, and links
 * that lead to whatever this user may remove.
 *
 * @throws A3sError `state-unusable` where it is not this user's alone
 */
export async function isOurs(path: string, uid: number): Promise<boolean> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return false;
  if (found.isDirectory() && found.uid === uid && (found.mode & 0o77) === 0) return true;
  throw new A3sError('state-unusable', `Cannot use ${path}: it is not this user’s alone`, {
    remedy: 'Remove it.',
  });
}

/** @throws A3sError `out-of-memory` where so much may not fit */
export async function checkRoom(path: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(path);
  const available = availableBytes(await readFile('/proc/meminfo', 'utf8'));
  const room = Math.min(bavail * bsize, available ?? Infinity);
  if (room >= bytes) return;
  const [need, have] = [bytes, room].map((each) => Math.floor(each / MEBIBYTE));
  throw new A3sError(
    'out-of-memory',
    `Cannot snapshot: the box has up to ${need} MiB of memory, and there is room for ${have} MiB`,
    { remedy: 'Remove snapshots with a3s-box snapshot rm, or stop boxes.' },
  );
}
