/**
 * Makes names, and their removal, durable: fsync of a file does not cover its name, which is part
 * of the directory.
 *
 * @module
 */
import { open, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Makes the names in a directory durable across a power cut. */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}

/** Gives a file that is on the disk its final name. The name is on the disk when this returns. */
export async function renameDurably(from: string, to: string): Promise<void> {
  await rename(from, to);
  await syncDirectory(dirname(to));
}

/**
 * Removes a file, or a directory with all that it has, if it is there. A power cut does not bring
 * its name back when this returns, so its record may go next.
 */
export async function removeDurably(path: string): Promise<void> {
  await rm(path, { recursive: true, force: true });
  await syncRemoval(path);
}

/** Makes the removal of this name durable. A directory that was never made has no names. */
export async function syncRemoval(path: string): Promise<void> {
  try {
    await syncDirectory(dirname(path));
  } catch (error) {
    if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
  }
}
