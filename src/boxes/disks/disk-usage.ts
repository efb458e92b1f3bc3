/**
 * Measures what a box takes on disk beside its image.
 *
 * @module
 */
import { type FileHandle, open, stat } from 'node:fs/promises';
import { setImmediate } from 'node:timers/promises';
import { dataExtents, type Extent } from '../../engine/data-extents.ts';
import { allocatedBytes, blankLayout } from '../../templates/blank-layout.ts';
import type { Services } from '../services/services.ts';
import { writableLayerPath } from './writable-layer.ts';

/**
 * Room for the directories that the guest makes: those of the overlay, and mount points. An image
 * with no directory but /bin needs this many.
 */
const OWN_DIRECTORIES = 16 * 4096;
/** Room for what a guest writes to journal and tables as soon as it mounts the disk. */
const MOUNTED = 16 * 4096;
/** The limit of the pieces that are counted: a guest decides in how many pieces its disk is. */
const MOST_EXTENTS = 16_384;
/** The number of pieces after which other work has its turn. */
const EXTENTS_AT_ONCE = 512;

/**
 * Bytes that the box has written: what its writable layer holds outside the file system's own
 * tables and journal. 0 for a box that wrote nothing.
 *
 * While a microVM may have the disk, its allocated blocks are counted instead. A search for its
 * pieces would block the server for seconds, until the kernel has discarded what the guest
 * discards.
 *
 * @param running whether a microVM may have the disk
 * @param size of the writable layer; undefined: the usual one
 */
export async function writtenBytes(
  rt: Pick<Services, 'home'>,
  id: string,
  running: boolean,
  size?: number,
): Promise<number> {
  if (running) {
    const blank = (await blankLayout(size)).allocated;
    return Math.max(0, (await writableLayerBytes(rt, id)) - blank - OWN_DIRECTORIES - MOUNTED);
  }
  const disk = await open(writableLayerPath(rt, id), 'r').catch(absent);
  if (disk === undefined) return 0;
  try {
    const { inUse } = await blankLayout(size);
    return Math.max(0, (await bytesOutside(disk, inUse)) - OWN_DIRECTORIES);
  } finally {
    await disk.close();
  }
}

/** Bytes that the box's changes have allocated on the host; 0 for a box that never started. */
export async function writableLayerBytes(rt: Pick<Services, 'home'>, id: string): Promise<number> {
  const found = await stat(writableLayerPath(rt, id)).catch(absent);
  return found === undefined ? 0 : allocatedBytes(found);
}

/**
 * Bytes that a file has outside these extents. Beyond `MOST_EXTENTS` pieces, everything else that
 * is allocated counts.
 */
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
  // A file system without holes reports the whole file as data.
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
