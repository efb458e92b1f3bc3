/**
 * The directory for the memory of snapshots: in RAM, and accessible to this user alone. It outlives
 * the server, and ends with the host's next start.
 *
 * Every user may make directories beside it. So its name is random and recorded in the home: no
 * other user can have made it before.
 *
 * @module
 */
import { createHash, randomBytes } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { lstat, mkdir, open, readFile, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { renameDurably } from '../durable.ts';
import { availableBytes } from '../engine/memory.ts';
import { A3sError } from '../errors.ts';

const SHARED_MEMORY = '/dev/shm';
const TMPFS_MAGIC = 0x01021994;
const RAMFS_MAGIC = 0x858458f6;
const MEBIBYTE = 2 ** 20;
const STICKY = 0o1000;
const OTHERS_WRITE = 0o022;
/** In the home: the name of the directory. */
const RECORD = 'snapshot-memory';
const NAME = /^a3s-box-\d{1,10}-[0-9a-f]{32}$/;

/** The owner and the location of the memory. */
export interface MemoryOwner {
  readonly home: string;
  readonly uid: number;
  /** Instead of `/dev/shm`. */
  readonly parent?: string | undefined;
}

/**
 * The recorded directory, which may not exist any more, or never have existed.
 *
 * @throws A3sError `state-unusable` where the record cannot be read
 */
export function recordedDirectory({ home, uid, parent }: MemoryOwner): string {
  const path = join(home, RECORD);
  let name: string;
  try {
    name = readFileSync(path, 'utf8').trimEnd();
  } catch (cause) {
    if (cause instanceof Error && 'code' in cause && cause.code === 'ENOENT') {
      return join(parent ?? SHARED_MEMORY, earlierName(home, uid));
    }
    throw new A3sError('state-unusable', `Cannot read ${path}`, { cause });
  }
  if (NAME.test(name)) return join(parent ?? SHARED_MEMORY, name);
  throw new A3sError('state-unusable', `Cannot read ${path}: it names no directory of memory`, {
    remedy: 'Remove it; this deletes the snapshots in it.',
  });
}

/**
 * The predictable name that earlier versions used. Their snapshots stay usable while this user owns
 * the directory.
 */
function earlierName(home: string, uid: number): string {
  return `a3s-box-${uid}-${createHash('sha256').update(home).digest('hex').slice(0, 16)}`;
}

/**
 * The recorded directory where it can be used, and otherwise a new one, which is recorded when this
 * returns.
 *
 * @throws A3sError `state-unusable` where there is no memory for it, or others could take it away
 */
export async function ensureMemoryDirectory(owner: MemoryOwner): Promise<string> {
  const { home, uid, parent = SHARED_MEMORY } = owner;
  const recorded = recordedDirectory(owner);
  if (await isUsable(recorded, uid)) return recorded;
  await checkParent(parent, uid);
  const name = `a3s-box-${uid}-${randomBytes(16).toString('hex')}`;
  await putOnRecord(home, name);
  const path = join(parent, name);
  try {
    await mkdir(path, { mode: 0o700 });
  } catch (cause) {
    throw new A3sError('state-unusable', `Cannot make ${path}`, {
      remedy: `Mount a tmpfs on ${SHARED_MEMORY}.`,
      cause,
    });
  }
  return path;
}

/**
 * Records the name before the directory exists: a server that dies in between leaves no unrecorded
 * directory.
 */
async function putOnRecord(home: string, name: string): Promise<void> {
  const path = join(home, RECORD);
  const file = await open(`${path}.new`, 'w', 0o600);
  try {
    await file.writeFile(`${name}\n`);
    await file.sync();
  } finally {
    await file.close();
  }
  await renameDurably(`${path}.new`, path);
}

/**
 * @throws A3sError `state-unusable` where it is not in memory, or where others could rename what is
 * in it
 */
async function checkParent(path: string, uid: number): Promise<void> {
  const remedy = `Mount a tmpfs on ${SHARED_MEMORY}, with mode 1777.`;
  const refused = (why: string, cause?: unknown): A3sError =>
    new A3sError('state-unusable', `Cannot keep the memory of boxes in ${path}: ${why}`, {
      remedy,
      cause,
    });
  const found = await lstat(path).catch((cause: unknown) => {
    throw refused('it cannot be looked at', cause);
  });
  if (!found.isDirectory()) throw refused('it is no directory');
  if (found.uid !== 0 && found.uid !== uid) throw refused(`user ${found.uid} owns it`);
  if ((found.mode & OTHERS_WRITE) !== 0 && (found.mode & STICKY) === 0) {
    throw refused('others can rename what is in it');
  }
  const { type } = await statfs(path);
  if (type !== TMPFS_MAGIC && type !== RAMFS_MAGIC) throw refused('it is on a disk');
}

/**
 * Whether it exists and belongs to this user alone. The caller checks this before it reads or
 * removes anything in it: at a known name, other users can have made a directory, or a link to
 * files that this user may remove.
 */
export async function isUsable(path: string, uid: number): Promise<boolean> {
  const found = await lstat(path).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return undefined;
    throw error;
  });
  return found?.isDirectory() === true && found.uid === uid && (found.mode & 0o77) === 0;
}

/** @throws A3sError `out-of-memory` where the bytes may not fit */
export async function checkRoom(path: string, bytes: number): Promise<void> {
  const { bavail, bsize } = await statfs(path);
  const available = availableBytes(await readFile('/proc/meminfo', 'utf8'));
  const room = Math.min(bavail * bsize, available ?? Infinity);
  if (room >= bytes) return;
  const [need, have] = [bytes, room].map((each) => Math.floor(each / MEBIBYTE));
  throw new A3sError(
    'out-of-memory',
    `Cannot snapshot: the box has up to ${need} MiB of memory, and there is room for ${have} MiB`,
    { remedy: 'Remove snapshots with a3s-box snapshot rm, or stop boxes.' },
  );
}
