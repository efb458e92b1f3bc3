/**
 * What a box takes on disk beside its image.
 *
 * @module
 */
import { stat } from 'node:fs/promises';
import { join } from 'node:path';
import { CHANGES_DISK } from './changes-disk.ts';
import { boxDirectory, type Runtime } from './runtime.ts';

/** stat(2) counts blocks of this size, whatever the file system's are. */
const STAT_BLOCK = 512;
/**
 * The most that a disk has allocated once a guest has mounted it, and nothing was written: the file system's own tables, the
 * beginning of its journal, and the directories of the overlay. Seen: 360 KiB after a boot, 532 KiB in a copy of a template.
 */
const EMPTY_DISK = 160 * 4096;

/** Bytes of the box's changes beside what an empty disk takes; 0 for a box that has written nothing. */
export async function writtenBytes(rt: Pick<Runtime, 'home'>, id: string): Promise<number> {
  return Math.max(0, (await changesBytes(rt, id)) - EMPTY_DISK);
}

/** Bytes that the box's changes have allocated on the host; 0 for a box that never started. */
export async function changesBytes(rt: Pick<Runtime, 'home'>, id: string): Promise<number> {
  const path = join(boxDirectory(rt, id), CHANGES_DISK);
  const found = await stat(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  return found === undefined ? 0 : found.blocks * STAT_BLOCK;
}
