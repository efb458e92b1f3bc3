/**
 * Makes a directory with those above it. Node's own way, `recursive`, never comes back where nobody can make anything,
 * as below /proc, and takes a thread with it.
 *
 * @module
 */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';

/**
 * Nothing happens where it is there, as whatever it is.
 *
 * @param path absolute
 * @param mode of every directory that is made
 * @throws what the kernel says, with its `code`
 */
export async function makeDirectories(path: string, mode: number): Promise<void> {
  try {
    await makeOne(path, mode);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT' || dirname(path) === path) throw error;
    await makeDirectories(dirname(path), mode);
    await makeOne(path, mode);
  }
}

/** Another process may have been quicker. */
async function makeOne(path: string, mode: number): Promise<void> {
  await mkdir(path, { mode }).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error;
  });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
