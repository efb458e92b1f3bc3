/**
 * Opens a path without following a link anywhere in it. Other processes may put links in the path
 * at any time.
 *
 * @module
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** A flag of open(2) for what is named, and neither read nor written. Node has no name for it. */
const O_PATH = 0o10000000;
const NAMED = O_PATH | constants.O_NOFOLLOW;

/**
 * Returns the path's file or directory, held by a descriptor that names it and opens nothing of it.
 *
 * @param path absolute, without `.` and `..`
 * @throws the kernel's error, with its `code`: `ENOTDIR` for a link before the last name, `ELOOP`
 * for one in its place
 */
export async function openWithoutLinks(path: string): Promise<FileHandle> {
  let held = await open('/', NAMED | constants.O_DIRECTORY);
  try {
    const names = path.split('/').filter((name) => name !== '');
    for (const [index, name] of names.entries()) {
      const isLast = index === names.length - 1;
      const flags = isLast ? NAMED : NAMED | constants.O_DIRECTORY;
      const next = await open(`/proc/self/fd/${held.fd}/${name}`, flags);
      await held.close();
      held = next;
    }
    // Such a descriptor can be one of a link itself.
    if ((await held.stat()).isSymbolicLink()) {
      throw Object.assign(new Error(`ELOOP: ${path} is a link`), { code: 'ELOOP' });
    }
    return held;
  } catch (error) {
    await held.close();
    throw error;
  }
}
