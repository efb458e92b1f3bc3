/**
 * Where the unit tests of a run have their temporary files: in memory, since those of a server and
 * of an image store spend most of their time on writes that wait for a disk. What a disk loses or
 * refuses is tested on disks of its own.
 *
 * @module
 */
import { mkdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Linux `TMPFS_MAGIC`, linux/magic.h. */
const TMPFS = 0x01021994;
const ENOUGH_BYTES = 2 ** 30;
const SHARED_MEMORY = '/dev/shm';

/**
 * The same for configuration and set-up, which one process of Vitest runs. Short: sockets lie in
 * it.
 */
export const TEMPORARY: string = hasRoom(SHARED_MEMORY)
  ? join(SHARED_MEMORY, `a3s-${process.pid}`)
  : tmpdir();

function hasRoom(directory: string): boolean {
  try {
    const { type, bavail, bsize } = statfsSync(directory);
    return type === TMPFS && bavail * bsize >= ENOUGH_BYTES;
  } catch {
    return false;
  }
}

/**
 * What Vitest runs before the first test file, for each project that names it; it runs what that
 * returns behind the last.
 */
export default function setUp(): () => void {
  if (TEMPORARY === tmpdir()) return () => undefined;
  mkdirSync(TEMPORARY, { mode: 0o755, recursive: true });
  return () => rmSync(TEMPORARY, { recursive: true, force: true });
}
