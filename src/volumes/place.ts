/**
 * The directory of a volume in a home, `volumes/NAME`, and what is in it.
 *
 * @module
 */
import { lstat, mkdir, readdir, rm, rmdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory, syncRemoval } from '../durable.ts';
import { A3sError } from '../errors.ts';
import { makeDiskFile } from './disk-file.ts';

export const DATA = '_data';
export const DISK = '_disk';

/**
 * Files that have no record are somebody's: they are neither shown to a box nor removed.
 *
 * @throws A3sError `conflict`
 */
export async function expectFree(name: string, directory: string): Promise<void> {
  const [data, disk] = [join(directory, DATA), join(directory, DISK)];
  if (await exists(disk)) throw notEmpty(name, disk);
  if ((await exists(data)) && !(await isEmpty(data))) throw notEmpty(name, data);
}

/**
 * Makes the place of a volume. It outlasts a power cut when this returns.
 *
 * @param diskBytes undefined: it is a directory
 */
export async function makePlace(
  directory: string,
  diskBytes: number | undefined,
  makeDisk: (path: string, bytes: number) => Promise<void>,
): Promise<void> {
  // Other users of the host do not come here: the home itself keeps them out.
  await mkdir(directory, { recursive: true, mode: 0o711 });
  if (diskBytes === undefined) {
    await mkdir(join(directory, DATA), { mode: 0o755 }).catch((error: unknown) => {
      if (!hasCode(error, 'EEXIST')) throw error;
    });
  } else await makeDiskFile(join(directory, DISK), diskBytes, makeDisk);
  const volumes = dirname(directory);
  for (const each of [directory, volumes, dirname(volumes)]) await syncDirectory(each);
}

/**
 * Removes the place of a volume that no box has seen: only what was made goes, not what somebody
 * has put there since. A power cut does not bring it back when this returns.
 */
export async function unmakePlace(directory: string): Promise<void> {
  for (const file of [DISK, `${DISK}.new`]) {
    await rm(join(directory, file), { force: true }).catch(ignoring('ENOTDIR'));
  }
  for (const path of [join(directory, DATA), directory]) {
    await rmdir(path).catch(ignoring('ENOENT', 'ENOTEMPTY', 'EEXIST', 'ENOTDIR', 'EBUSY'));
  }
  await syncRemoval(directory);
}

/**
 * A directory that is not there, or may not be read, is not filled: the file server refuses it with
 * its reason.
 */
export async function isEmpty(path: string): Promise<boolean> {
  try {
    return (await readdir(path)).length === 0;
  } catch (error) {
    if (hasCode(error, 'EACCES', 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

export function notEmpty(name: string, path: string, cause?: unknown): A3sError {
  return new A3sError('conflict', `Cannot make the volume ${name}: ${path} has files`, {
    remedy: 'Move them away first.',
    cause,
  });
}

export function hasCode(error: unknown, ...codes: readonly string[]): boolean {
  return error instanceof Error && 'code' in error && codes.includes(String(error.code));
}

/** Also a link that leads nowhere. */
async function exists(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    if (hasCode(error, 'ENOENT', 'ENOTDIR')) return false;
    throw error;
  }
}

/** Takes these errors for success. */
function ignoring(...codes: readonly string[]): (error: unknown) => void {
  return (error) => {
    if (!hasCode(error, ...codes)) throw error;
  };
}
