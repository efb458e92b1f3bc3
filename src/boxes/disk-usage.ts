/**
 * What a box takes on disk beside its image.
 *
 * @module
 */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import { dataExtents, type Extent } from '../engine/data-extents.ts';
import { blankLayout } from '../templates/blank-layout.ts';
import { CHANGES_DISK } from './changes-disk.ts';
import { boxDirectory, type Runtime } from './runtime.ts';

/** stat(2) counts blocks of this size, whatever the file system's are. */
const STAT_BLOCK = 512;
/** Directories that the guest makes: those of the overlay, and of mount points. So many where the image has no directory but /bin. */
const OWN_DIRECTORIES = 16 * 4096;
/** A guest decides in how many pieces its disk is. */
const MOST_EXTENTS = 16_384;
/** Pieces that are looked at before others have their turn. */
const EXTENTS_AT_ONCE = 512;

/** Bytes that the box has written: what its disk holds outside the file system's own tables and journal. 0 for one that wrote nothing. */
export async function writtenBytes(rt: Pick<Runtime, 'home'>, id: string): Promise<number> {
  const disk = await open(changesPath(rt, id), 'r').catch(absent);
  if (disk === undefined) return 0;
  try {
    return Math.max(0, (await bytesOutside(disk, await blankLayout())) - OWN_DIRECTORIES);
  } finally {
    await disk.close();
  }
}

/** Bytes that the box's changes have allocated on the host; 0 for a box that never started. */
export async function changesBytes(rt: Pick<Runtime, 'home'>, id: string): Promise<number> {
  const found = await stat(changesPath(rt, id)).catch(absent);
  return found === undefined ? 0 : found.blocks * STAT_BLOCK;
}

/** Bytes that a file has outside of these extents. Beyond the most pieces, all that it has allocated counts. */
async function bytesOutside(file: FileHandle, taken: readonly Extent[]): Promise<number> {
  const { size, blocks } = await file.stat();
  const allocated = blocks * STAT_BLOCK;
  let [seen, outside, pieces] = [0, 0, 0];
  for await (const extent of dataExtents(file.fd, size)) {
    const bytes = extent.end - extent.start;
    seen += bytes;
    outside += bytes - overlap(extent, taken);
    pieces++;
    if (pieces === MOST_EXTENTS) return outside + Math.max(0, allocated - seen);
    if (pieces % EXTENTS_AT_ONCE === 0) await setImmediate();
  }
  // A file system that knows no holes says that all of the file is data.
  return Math.min(outside, allocated);
}

function overlap({ start, end }: Extent, taken: readonly Extent[]): number {
  return taken.reduce(
    (sum, each) => sum + Math.max(0, Math.min(end, each.end) - Math.max(start, each.start)),
    0,
  );
}

function changesPath(rt: Pick<Runtime, 'home'>, id: string): string {
  return join(boxDirectory(rt, id), CHANGES_DISK);
}

function absent(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}
