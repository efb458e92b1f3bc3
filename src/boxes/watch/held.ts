/**
 * Files of a share, held by descriptors. A guest may put a link anywhere in its share at any time,
 * and none is followed.
 *
 * @module
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** A flag of open(2) for what is named, and neither read nor written. Node has no name for it. */
const O_PATH = 0o10000000;
const DIRECTORY = O_PATH | constants.O_NOFOLLOW | constants.O_DIRECTORY;

/** The longest path that the kernel takes, and the agent, in bytes. */
const MAX_PATH = 4095;

/** A path to what is held, or to a name in the directory that is held. */
export function pathOf({ fd }: FileHandle, name?: string): string {
  return name === undefined ? `/proc/self/fd/${fd}` : `/proc/self/fd/${fd}/${name}`;
}

/** @throws the kernel's error: `ENOENT`, or `ENOTDIR` for anything but a directory */
export function openDirectory(parent: FileHandle, name: string): Promise<FileHandle> {
  return open(pathOf(parent, name), DIRECTORY);
}

/**
 * Opens a directory below another one.
 *
 * @param path relative, of names alone; empty for the directory itself
 * @throws the kernel's error, as `openDirectory`
 */
export async function openBelow(root: FileHandle, path: string): Promise<FileHandle> {
  let held = await open(pathOf(root), O_PATH | constants.O_DIRECTORY);
  try {
    for (const name of path === '' ? [] : path.split('/')) {
      const next = await openDirectory(held, name);
      await held.close();
      held = next;
    }
    return held;
  } catch (error) {
    await held.close();
    throw error;
  }
}

/** The path of a name in a directory of a share. */
export function below(directory: string, name: string): string {
  return directory === '' ? name : `${directory}/${name}`;
}

/** Whether a path of a share is longer than can be reported. */
export function isTooLong(path: string): boolean {
  return Buffer.byteLength(path) > MAX_PATH;
}

/** Whether something was removed or replaced since its name was read, or may not be read. */
export function isUnreachable(error: unknown): boolean {
  const code = error instanceof Error && 'code' in error ? error.code : undefined;
  return ['ENOENT', 'ENOTDIR', 'ELOOP', 'EACCES', 'EPERM', 'ENAMETOOLONG'].includes(String(code));
}
