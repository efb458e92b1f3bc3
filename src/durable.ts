/**
 * Makes names durable: fsync of a file does not cover its name, which is part of the directory.
 *
 * @module
 */
import { open, rename } from 'node:fs/promises';
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
