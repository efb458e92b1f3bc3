/**
 * Writes that are on disk when they return.
 *
 * @module
 */
import { open } from 'node:fs/promises';

/**
 * Makes a file that only this user can read (mode 0600), with these contents; its name is on disk
 * only after {@link syncDirectory}.
 *
 * @throws the file system's error, `EEXIST` where there is such a file
 */
export async function createSynced(path: string, contents: string | Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.writeFile(contents);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Brings the names in a directory to disk.
 *
 * @throws the file system's error
 */
export async function syncDirectory(path: string): Promise<void> {
  const directory = await open(path, 'r');
  try {
    await directory.sync();
  } finally {
    await directory.close();
  }
}
