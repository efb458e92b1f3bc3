/**
 * The file that holds a processor's state: its owner's alone, made once, never half-written.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import { link, lstat, mkdir, open, rm, stat } from 'node:fs/promises';
import { dirname } from 'node:path';
import { createSynced, syncDirectory } from '../durable-file.ts';
import { AttestationError } from '../errors.ts';
import { type SimulatedState, unusableState } from './state.ts';

/** Three RSA keys and certificates take about 15 KiB. */
const MAX_BYTES = 64 * 1024;
const OTHERS = 0o077;

/**
 * Reads the state in `path`, and makes and stores one where the file is missing.
 *
 * When several processes create it, all use the state of the first.
 *
 * @throws {AttestationError} `simulated-state` where file or directory are not the caller's alone,
 *   where they can be neither read nor made, and where the file is not JSON.
 */
export async function loadOrCreate(
  path: string,
  create: () => Promise<SimulatedState>,
): Promise<unknown> {
  try {
    await prepareDirectory(dirname(path));
    if (!(await exists(path))) await keep(path, await create());
    // Read back where it was made, since another may have been first.
    return await load(path);
  } catch (cause) {
    if (cause instanceof AttestationError) throw cause;
    throw unusableState(`${path} can be neither read nor made`, {
      cause,
      remedy: 'Name a file in a directory of your own on a local disk.',
    });
  }
}

async function prepareDirectory(path: string): Promise<void> {
  await mkdir(path, { recursive: true, mode: 0o700 });
  checkPrivate(path, await stat(path), 'directory');
}

async function exists(path: string): Promise<boolean> {
  return (await lstat(path).catch(unless('ENOENT'))) !== undefined;
}

async function load(path: string): Promise<unknown> {
  // Without following a link, and without waiting for a writer, should it be a pipe.
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
  try {
    const stats = await file.stat();
    checkPrivate(path, stats, 'file');
    if (stats.size > MAX_BYTES) {
      throw unusableState(`${path} has ${stats.size} bytes, more than a state takes`);
    }
    return parse(path, await file.readFile('utf8'));
  } finally {
    await file.close();
  }
}

function parse(path: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw unusableState(`${path} is not JSON`, { cause });
  }
}

/** Refuses what another user could have written, or can read. */
function checkPrivate(path: string, stats: Stats, kind: 'file' | 'directory'): void {
  if (!(kind === 'file' ? stats.isFile() : stats.isDirectory())) {
    throw unusableState(`${path} is no ${kind}`);
  }
  if (stats.uid !== process.geteuid?.()) {
    throw unusableState(`${path} belongs to user ${stats.uid}`, {
      remedy: `Run as that user, or name a ${kind} of your own.`,
    });
  }
  if ((stats.mode & OTHERS) !== 0) {
    const mode = (stats.mode & 0o777).toString(8).padStart(4, '0');
    throw unusableState(`${path} is open to others (mode ${mode})`, {
      remedy: `Close it: chmod ${kind === 'file' ? '0600' : '0700'} ${path}. If others could write it, move it away instead.`,
    });
  }
}

/** Puts a state in place, whole and on the disk, unless there is one by now. */
async function keep(path: string, state: SimulatedState): Promise<void> {
  const staged = `${path}.${randomBytes(8).toString('hex')}.new`;
  try {
    await createSynced(staged, `${JSON.stringify(state, null, 2)}\n`);
    // Unlike a rename, a link never takes the place of another's.
    await link(staged, path).catch(unless('EEXIST'));
  } finally {
    await rm(staged, { force: true });
  }
  await syncDirectory(dirname(path));
}

/** Lets a failure of that code pass, and no other. */
function unless(code: string): (error: NodeJS.ErrnoException) => void {
  return (error) => {
    if (error.code !== code) throw error;
  };
}
