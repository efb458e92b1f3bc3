/**
 * Makes a directory with those above it, where links lead to or without following any. Node's own way, `recursive`, never comes back where nobody can make anything,
 * as below /proc, and takes a thread with it.
 *
 * @module
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';

/** Of open(2): for a directory that may be searched and not read. Node has no name for it. */
const O_PATH = 0o10000000;
const HELD_DIRECTORY = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

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

/**
 * The same, without following a link: each directory is made in the one above, which is held open. Others may put links in
 * the path at any time.
 *
 * @param path absolute, without `.` and `..`
 * @throws what the kernel says, with its `code`: `ENOTDIR` for a link
 */
export async function makeDirectoriesUnlinked(path: string, mode: number): Promise<void> {
  let held = await open('/', HELD_DIRECTORY);
  try {
    for (const name of path.split('/').filter((each) => each !== '')) {
      const next = await enter(held, name, mode);
      await held.close();
      held = next;
    }
  } finally {
    await held.close();
  }
}

/** Opens a directory in another one, and makes it where it is missing. */
async function enter(above: FileHandle, name: string, mode: number): Promise<FileHandle> {
  const path = `/proc/self/fd/${above.fd}/${name}`;
  try {
    return await open(path, HELD_DIRECTORY);
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error;
    await makeOne(path, mode);
    return await open(path, HELD_DIRECTORY);
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
