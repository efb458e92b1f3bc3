/**
 * Files that are either there as a whole or not at all, whenever the power goes.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import { chmod, type FileHandle, mkdir, open, rm } from 'node:fs/promises';
import { join } from 'node:path';

/** Makes a directory that nobody else can read. */
export async function makePrivate(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  // An earlier version may have made it with wider permissions.
  await chmod(path, 0o700);
}

/** Opens a new file, hands it to `fill`, and closes it once its bytes are on disk. */
export async function createDurably(
  path: string,
  fill: (file: FileHandle) => Promise<void>,
): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await fill(file);
    await file.sync();
  } finally {
    await file.close();
  }
}

/** Opens an empty file, for reading and writing, that goes when it is closed. */
export async function openNameless(directory: string): Promise<FileHandle> {
  const path = join(directory, randomUUID());
  const file = await open(path, 'wx+', 0o600);
  try {
    await rm(path);
  } catch (error) {
    await file.close();
    throw error;
  }
  return file;
}
