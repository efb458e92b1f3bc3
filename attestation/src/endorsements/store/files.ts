/**
 * Writes files atomically: a file exists as a whole or not at all, also with several writers.
 *
 * @module
 */
import { randomUUID } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createSynced, syncDirectory } from '../../durable-file.ts';
import { AttestationError } from '../../errors.ts';

/**
 * The bytes of a file, undefined if there is none.
 *
 * @throws AttestationError `store-malformed` if it is no file or longer than `maxBytes`,
 * `store-unusable` if it cannot be read.
 */
export async function readFileBounded(
  path: string,
  maxBytes: number,
): Promise<Uint8Array | undefined> {
  return usable(path, async () => {
    // Without O_NONBLOCK, a pipe in the file's place would be waited for.
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      checkFile(path, await file.stat(), maxBytes);
      return new Uint8Array(await file.readFile());
    } finally {
      await file.close();
    }
  });
}

function checkFile(path: string, stat: Stats, maxBytes: number): void {
  if (stat.isFile() && stat.size <= maxBytes) return;
  throw new AttestationError('store-malformed', `Cannot use ${path}: it is not an endorsement.`, {
    expected: `a file of at most ${maxBytes} bytes`,
    found: stat.isFile() ? `${stat.size} bytes` : 'something else',
  });
}

/**
 * Names in a directory, in order; none if it is not there.
 *
 * @throws AttestationError `store-unusable` if it cannot be read.
 */
export async function listDirectory(path: string): Promise<readonly string[]> {
  return (await usable(path, async () => (await readdir(path)).sort())) ?? [];
}

/**
 * Makes the directories of a file, and then the file, which only this user can read.
 *
 * It is on disk when this returns; readers see the old file or the new one.
 *
 * @throws AttestationError `store-unusable` if it cannot be written.
 */
export async function writeFileDurably(path: string, bytes: Uint8Array): Promise<void> {
  // A unique name, so that writers in other processes do not collide.
  const draft = `${path}.${randomUUID()}.new`;
  try {
    await makeDirectory(dirname(path));
    try {
      await createSynced(draft, bytes);
      await rename(draft, path);
    } finally {
      await rm(draft, { force: true });
    }
    await syncDirectory(dirname(path));
  } catch (cause) {
    throw unusable(path, cause);
  }
}

/** Names survive a crash only once their directory is on disk too. */
async function makeDirectory(path: string): Promise<void> {
  const first = await mkdir(path, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = path; made.length >= first.length; made = dirname(made)) {
    await syncDirectory(dirname(made));
  }
}

/** Undefined where there is nothing; other errors of the file system as `store-unusable`. */
async function usable<T>(path: string, read: () => Promise<T>): Promise<T | undefined> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof AttestationError) throw error;
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw unusable(path, error);
  }
}

function unusable(path: string, cause: unknown): AttestationError {
  return new AttestationError(
    'store-unusable',
    `Cannot use ${path}: ${(cause as Error).message}.`,
    {
      remedy: 'Check the permissions of the store and the space on its disk.',
      cause,
    },
  );
}
