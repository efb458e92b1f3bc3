/**
 * Files that decide who is trusted: bounded, and written by nobody else.
 *
 * @module
 */
import { constants, type Stats } from 'node:fs';
import { lstat, open, realpath, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { readBounded } from '../../read-bounded.ts';

/** Both kinds of writing bits that are not the owner's. */
const OTHERS_WRITE = 0o022;
const STICKY = 0o1000;

const REASONS: Readonly<Record<string, string>> = {
  ENOENT: 'there is no such file',
  EACCES: 'it may not be read',
  ELOOP: 'its links lead in a circle',
  ENOTDIR: 'a part of its path is no directory',
  ENXIO: 'it is no regular file',
  ENAMETOOLONG: 'its name is too long',
};

export interface FileRules {
  readonly maxBytes: number;
  /** Whether another user than root and this one may have written it. */
  readonly othersMayWrite: boolean;
}

/** Whether something of that name is there, a link to nowhere too. */
export async function isThere(path: string): Promise<boolean> {
  try {
    await lstat(path);
    return true;
  } catch (error) {
    // A path below a file that is no directory does not exist; after any other error it may exist.
    return !['ENOENT', 'ENOTDIR'].includes(codeOf(error));
  }
}

/**
 * The content of a regular file, or of one that a link leads to.
 *
 * @throws Error that says what is wrong with it
 */
export async function readTrustFile(path: string, rules: FileRules): Promise<Buffer> {
  if (path.includes('\0')) throw new Error('its name has a NUL');
  try {
    // Without O_NONBLOCK, opening a FIFO would wait for a writer.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK | constants.O_NOCTTY);
    try {
      const stats = await file.stat();
      if (stats.isDirectory()) throw new Error('it is a directory');
      if (!stats.isFile()) throw new Error('it is no regular file');
      if (!rules.othersMayWrite) await refuseOthers(path, stats);
      const bytes = await readBounded(file, rules.maxBytes);
      if (bytes === undefined) throw new Error(`it has more than ${rules.maxBytes} bytes`);
      // A truncated policy might lack the rule that refuses.
      if (!isSame(stats, await file.stat())) throw new Error('it was written while it was read');
      return bytes;
    } finally {
      await file.close();
    }
  } catch (error) {
    const reason = REASONS[codeOf(error)];
    throw reason === undefined ? error : new Error(reason, { cause: error });
  }
}

function isSame(before: Stats, after: Stats): boolean {
  return (
    before.size === after.size &&
    before.mtimeMs === after.mtimeMs &&
    before.ctimeMs === after.ctimeMs
  );
}

/**
 * Who can write a file, or put another in its place, decides what it says; where it is a link, also
 * where it leads.
 */
async function refuseOthers(path: string, file: Stats): Promise<void> {
  // Systems without user ids, such as Windows, have nothing to check.
  const own = process.geteuid?.();
  if (own === undefined) return;
  refuseOtherWriters(file, 'it', own);
  for (const directory of new Set([dirname(path), dirname(await realpath(path))])) {
    const stats = await stat(directory);
    // In a sticky directory no user can replace another's files.
    const { uid, mode } = stats;
    const masked = (mode & STICKY) === 0 ? mode : mode & ~OTHERS_WRITE;
    refuseOtherWriters({ uid, mode: masked }, `its directory ${directory}`, own);
  }
}

function refuseOtherWriters(
  { uid, mode }: Pick<Stats, 'uid' | 'mode'>,
  what: string,
  own: number,
): void {
  if (uid !== 0 && uid !== own) throw new Error(`${what} belongs to another user (${uid})`);
  if ((mode & OTHERS_WRITE) === 0) return;
  throw new Error(`${what} can be written by other users: take that away with chmod go-w`);
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : '';
}
