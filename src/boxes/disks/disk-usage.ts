/**
 * What a box takes on disk beside its image.
 *
 * @module
 */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { dataExtents, type Extent } from '../../engine/data-extents.ts';
import { allocatedBytes, blankLayout } from '../../templates/blank-layout.ts';
import type { Runtime } from '../runtime.ts';
import { changesPath } from './writable-layer.ts';

/** Directories that the guest makes: those of the overlay, and of mount points. So many where the image has no directory but /bin. */
const OWN_DIRECTORIES = 16 * 4096;
/** What a guest that mounts the disk writes at once to its journal and tables. */
const MOUNTED = 16 * 4096;
/** A guest decides in how many pieces its disk is. */
const MOST_EXTENTS = 16_384;
/** Pieces that are looked at before others have their turn. */
const EXTENTS_AT_ONCE = 512;

/**
 * Bytes that the box has written: what its disk holds outside the file system's own tables and journal. 0 for one that
 * wrote nothing.
 *
 * While a guest writes to the disk, its allocated blocks are counted. Looking for its pieces would block the server for
 * seconds, until the kernel has discarded what the guest discards.
 *
 * @param running whether a machine may have the disk
 */
export async function writtenBytes(
  rt: Pick<Runtime, 'home'>,
  id: string,
  running: boolean,
): Promise<number> {
  if (running) {
    const blank = (await blankLayout()).allocated;
    return Math.max(0, (await changesBytes(rt, id)) - blank - OWN_DIRECTORIES - MOUNTED);
  }
  const disk = await open(changesPath(rt, id), 'r').catch(absent);
  if (disk === undefined) return 0;
  try {
    return Math.max(0, (await bytesOutside(disk, (await blankLayout()).inUse)) - OWN_DIRECTORIES);
  } finally {
    await disk.close();
  }
}

/** Bytes that the box's changes have allocated on the host; 0 for a box that never started. */
export async function changesBytes(rt: Pick<Runtime, 'home'>, id: string): Promise<number> {
  const found = await stat(changesPath(rt, id)).catch(absent);
  return found === undefined ? 0 : allocatedBytes(found);
}

/** Bytes that a file has outside of these extents. Beyond the most pieces, all that it has allocated counts. */
async function bytesOutside(file: FileHandle, taken: readonly Extent[]): Promise<number> {
  const found = await file.stat();
  const allocated = allocatedBytes(found);
  let [seen, outside, pieces] = [0, 0, 0];
  for await (const extent of dataExtents(file.fd, found.size)) {
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

function absent(error: unknown): undefined {
  if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
  throw error;
}
