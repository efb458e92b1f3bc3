/**
 * Reads files that only this server can have written: the content of a template decides what boxes
 * run.
 *
 * @module
 */
import { constants } from 'node:fs';
import { type FileHandle, lstat, open } from 'node:fs/promises';
import { Damaged } from './damaged.ts';

/** The open sends no signal to this process, and does not block on a pipe that was put there. */
const FLAGS = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;

/**
 * Opens a file that has one name, belongs to this user, and is inaccessible to all others.
 *
 * @throws Damaged for any other, and for none
 */
export async function openPrivate(path: string): Promise<FileHandle> {
  let handle: FileHandle;
  try {
    handle = await open(path, FLAGS);
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : undefined;
    if (code === 'ENOENT') throw new Damaged('it is missing');
    if (code === 'ELOOP') throw new Damaged('it is a link');
    if (code === 'EACCES') throw new Damaged('it cannot be read');
    throw error;
  }
  try {
    const found = await handle.stat();
    if (!found.isFile()) throw new Damaged('it is not a file');
    if (found.nlink !== 1) throw new Damaged(`it has ${found.nlink} names`);
    checkPrivate(found, 0o600);
    return handle;
  } catch (error) {
    await handle.close();
    throw error;
  }
}

/** @throws Damaged unless it is a directory of this user's that nobody else can enter */
export async function checkPrivateDirectory(path: string): Promise<void> {
  const found = await lstat(path);
  if (!found.isDirectory()) throw new Damaged('it is not a directory');
  checkPrivate(found, 0o700);
}

function checkPrivate(found: { uid: number; mode: number }, mode: number): void {
  const uid = process.geteuid?.() ?? 0;
  if (found.uid !== uid) throw new Damaged(`it belongs to user ${found.uid}`);
  const actual = found.mode & 0o7777;
  if (actual === mode) return;
  throw new Damaged(`its mode is ${actual.toString(8)} instead of ${mode.toString(8)}`);
}
