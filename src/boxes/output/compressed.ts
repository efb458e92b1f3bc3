/**
 * Compressed files of a log. They are small, so each is read as a whole. All readers share those
 * that were read last.
 *
 * @module
 */
import { open, readFile, rm } from 'node:fs/promises';
import { promisify } from 'node:util';
import { gunzip, gzip } from 'node:zlib';
import { renameDurably } from '../../durable.ts';

/** Larger files stay as they are. */
export const MAX_COMPRESSED = 4 * 1024 * 1024;
const MAX_SHARED = 8;

const shared = new Map<string, Promise<Buffer>>();

/** Turns `path` into `path.gz`. At any moment one of the two is whole. */
export async function compressFile(path: string): Promise<void> {
  const bytes = await promisify(gzip)(await readFile(path));
  const fresh = `${path}.gz.new`;
  try {
    const file = await open(fresh, 'w', 0o600);
    try {
      await file.writeFile(bytes);
      await file.datasync();
    } finally {
      await file.close();
    }
    // This comes before the plain file goes: the removal of its name must not reach the disk first.
    await renameDurably(fresh, `${path}.gz`);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}

/** The content that `path` had before it was compressed. */
export function inflateFile(path: string): Promise<Buffer> {
  const known = shared.get(path);
  // The least recently used one is forgotten first.
  shared.delete(path);
  const inflating = known ?? inflate(path);
  shared.set(path, inflating);
  for (const oldest of shared.keys()) {
    if (shared.size <= MAX_SHARED) break;
    shared.delete(oldest);
  }
  inflating.catch(() => shared.delete(path));
  return inflating;
}

/** Called for a file that is removed. */
export function forgetInflated(path: string): void {
  shared.delete(path);
}

async function inflate(path: string): Promise<Buffer> {
  return promisify(gunzip)(await readFile(path), { maxOutputLength: MAX_COMPRESSED });
}
