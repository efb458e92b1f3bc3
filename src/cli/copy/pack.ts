/**
 * A file or directory of this host as a tar stream.
 *
 * @module
 */
import { constants, type Stats } from 'node:fs';
import { lstat, open, opendir, readlink } from 'node:fs/promises';
import { UsageError } from '../usage-error.ts';
import { endOfTar, paddingOf, tarHeader } from './tar-header.ts';

const CHUNK = 256 * 1024;
/** The most directories in each other. */
const MAX_DEPTH = 1024;

/** What is counted while a stream is made. */
export interface Packed {
  /** Bytes of regular files. */
  bytes: number;
}

/**
 * Owners are the numbers that they have here. Sockets are left out, as Docker does. A file that has several names is
 * sent once for each of them.
 *
 * @param path of the file, of which links were followed as far as they are to be followed
 * @param name of its first entry
 */
export async function* pack(path: string, name: string, packed: Packed): AsyncGenerator<Buffer> {
  const bytes = Buffer.from(path);
  yield* entry(bytes, await lstat(bytes), Buffer.from(name).toString('latin1'), packed, 0);
  yield endOfTar();
}

async function* entry(
  path: Buffer,
  stats: Stats,
  name: string,
  packed: Packed,
  depth: number,
): AsyncGenerator<Buffer> {
  if (depth > MAX_DEPTH) throw refused(path, `more than ${MAX_DEPTH} directories in each other`);
  const of = { mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid };
  const seconds = Math.max(0, Math.floor(stats.mtimeMs / 1000));
  const common = { ...of, mtime: seconds, size: 0, link: '' };
  if (stats.isDirectory()) {
    const prefix = name.endsWith('/') ? name : `${name}/`;
    yield tarHeader({ ...common, type: '5', name: prefix });
    yield* children(path, prefix, packed, depth);
  } else if (stats.isFile()) {
    yield* file(path, stats, { ...common, type: '0', name }, packed);
  } else if (stats.isSymbolicLink()) {
    const link = (await readlink(path, { encoding: 'buffer' })).toString('latin1');
    yield tarHeader({ ...common, type: '2', name, link });
  } else if (stats.isFIFO()) {
    yield tarHeader({ ...common, type: '6', name });
  } else if (!stats.isSocket()) {
    throw refused(path, 'it is a device node, which no box can open');
  }
}

async function* children(
  path: Buffer,
  prefix: string,
  packed: Packed,
  depth: number,
): AsyncGenerator<Buffer> {
  // Names are bytes: the types have no such encoding here, and the system has.
  const directory = await opendir(path, { encoding: 'latin1' as BufferEncoding });
  for await (const { name } of directory) {
    const child = Buffer.concat([path, Buffer.from(`/${name}`, 'latin1')]);
    yield* entry(child, await lstat(child), `${prefix}${name}`, packed, depth + 1);
  }
}

async function* file(
  path: Buffer,
  { size, ino }: Stats,
  header: Parameters<typeof tarHeader>[0],
  packed: Packed,
): AsyncGenerator<Buffer> {
  const flags = constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK;
  const handle = await open(path, flags);
  try {
    const opened = await handle.stat();
    if (!opened.isFile() || opened.ino !== ino) throw refused(path, 'it was replaced meanwhile');
    yield tarHeader({ ...header, size });
    for (let at = 0; at < size; ) {
      const wanted = Math.min(CHUNK, size - at);
      const { bytesRead, buffer } = await handle.read(Buffer.allocUnsafe(wanted), 0, wanted, at);
      if (bytesRead === 0) throw refused(path, 'it became shorter while it was read');
      at += bytesRead;
      packed.bytes += bytesRead;
      yield buffer.subarray(0, bytesRead);
    }
    yield paddingOf(size);
  } finally {
    await handle.close();
  }
}

function refused(path: Buffer, why: string): UsageError {
  return new UsageError(`Cannot copy ${path.toString()}: ${why}`, { status: 1 });
}
