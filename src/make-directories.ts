/**
 * Makes a directory with its parents, with or without following links. Node's own `recursive` never
 * returns where no directory can be made, as below /proc, and blocks a thread.
 *
 * @module
 */
import { constants } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname } from 'node:path';

/** A flag of open(2) for a directory that may be searched and not read. Node has no name for it. */
const O_PATH = 0o10000000;
const HELD_DIRECTORY = O_PATH | constants.O_DIRECTORY | constants.O_NOFOLLOW;

/**
 * Does nothing where the path exists, as a file of any kind.
 *
 * @param path absolute
 * @param mode of every directory that is made
 * @throws the kernel's error, with its `code`
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
 * The same, without following a link: each directory is made in its parent, which is held open.
 * Other processes may put links in the path at any time.
 *
 * @param path absolute, without `.` and `..`
 * @throws the kernel's error, with its `code`: `ENOTDIR` for a link
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

/** Another process may have made it first. */
async function makeOne(path: string, mode: number): Promise<void> {
  await mkdir(path, { mode }).catch((error: unknown) => {
    if (codeOf(error) !== 'EEXIST') throw error;
  });
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : undefined;
}
