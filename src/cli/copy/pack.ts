/**
 * A file or directory of this host as a tar stream.
 *
 * @module
 */
import { constants, type Stats } from 'node:fs';
import { open, opendir, readlink } from 'node:fs/promises';
import { basename, dirname } from 'node:path';
import { UsageError } from '../usage-error.ts';
import { Held, MAX_DEPTH, withPath } from './held.ts';
import { endOfTar, paddingOf, tarHeader } from './tar-header.ts';

const CHUNK = 256 * 1024;

/** What is counted while a stream is made. */
export interface Packed {
  /** Bytes of regular files. */
  bytes: number;
}

/** Something to send: a name in a directory that is held. */
interface Source {
  readonly parent: Held;
  readonly name: Buffer;
  /** For messages. */
  readonly path: Buffer;
}

/**
 * Owners are the numbers that they have here. Sockets are left out, as Docker does. A file that has
 * several names is sent once for each of them.
 *
 * What is sent may be shared with a guest, which may put links in it meanwhile. None of them is
 * followed.
 *
 * @param path of the file, with links already resolved where the command asks for it
 * @param name of its first entry
 */
export async function* pack(path: string, name: string, packed: Packed): AsyncGenerator<Buffer> {
  const parent = await Held.directory(dirname(path));
  try {
    const source = { parent, name: Buffer.from(basename(path) || '.'), path: Buffer.from(path) };
    yield* entry(source, Buffer.from(name).toString('latin1'), packed, 0);
  } finally {
    await parent.close();
  }
  yield endOfTar();
}

async function* entry(
  source: Source,
  name: string,
  packed: Packed,
  depth: number,
): AsyncGenerator<Buffer> {
  const { parent, path } = source;
  try {
    // Held before its header is sent: the name may be something else by the time that the next one
    // is asked for.
    const held = await parent.child(source.name);
    try {
      yield* content(source, held, name, packed, depth);
    } finally {
      await held.close();
    }
  } catch (error) {
    throw withPath(error, path);
  }
}

async function* content(
  source: Source,
  held: Held,
  name: string,
  packed: Packed,
  depth: number,
): AsyncGenerator<Buffer> {
  const stats = await held.stat();
  const of = { mode: stats.mode & 0o7777, uid: stats.uid, gid: stats.gid };
  const seconds = Math.max(0, Math.floor(stats.mtimeMs / 1000));
  const common = { ...of, mtime: seconds, size: 0, link: '' };
  if (stats.isDirectory()) {
    if (depth >= MAX_DEPTH) {
      throw refused(source.path, `more than ${MAX_DEPTH} directories in each other`);
    }
    const prefix = name.endsWith('/') ? name : `${name}/`;
    yield tarHeader({ ...common, type: '5', name: prefix });
    yield* children(source.path, held, prefix, packed, depth);
  } else if (stats.isFile()) {
    yield* file(source.path, held, stats, { ...common, type: '0', name }, packed);
  } else if (stats.isSymbolicLink()) {
    const target = await readlink(source.parent.at(source.name), { encoding: 'buffer' });
    yield tarHeader({ ...common, type: '2', name, link: target.toString('latin1') });
  } else if (stats.isFIFO()) {
    yield tarHeader({ ...common, type: '6', name });
  } else if (!stats.isSocket()) {
    throw refused(source.path, 'it is a device node, which no box can open');
  }
}

async function* children(
  path: Buffer,
  parent: Held,
  prefix: string,
  packed: Packed,
  depth: number,
): AsyncGenerator<Buffer> {
  // Names are bytes: the types have no such encoding here, and the system has.
  const directory = await opendir(parent.itself, { encoding: 'latin1' as BufferEncoding });
  for await (const { name: text } of directory) {
    const name = Buffer.from(text, 'latin1');
    const child = { parent, name, path: Buffer.concat([path, Buffer.from('/'), name]) };
    yield* entry(child, `${prefix}${text}`, packed, depth + 1);
  }
}

async function* file(
  path: Buffer,
  held: Held,
  { size }: Stats,
  header: Parameters<typeof tarHeader>[0],
  packed: Packed,
): AsyncGenerator<Buffer> {
  // The very file that is held: no name is looked up.
  const handle = await open(held.itself, constants.O_RDONLY | constants.O_NONBLOCK);
  try {
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
