/**
 * Extracts an archive that a box has sent. The box may be hostile: nothing outside of the destination is touched.
 *
 * Files belong to this process's user. Set-id bits and extended attributes are dropped: a program of a box must not get
 * a user's rights on this host.
 *
 * @module
 */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { constants, type Stats } from 'node:fs';
import {
  chmod,
  link,
  lstat,
  mkdir,
  open,
  rename,
  rm,
  symlink,
  unlink,
  utimes,
} from 'node:fs/promises';
import { promisify } from 'node:util';
import { ByteReader } from '../../images/byte-reader.ts';
import { readTar, type TarEntry } from '../../images/tar/read-tar.ts';
import { UsageError } from '../usage-error.ts';
import type { Placement } from './paths.ts';

const MODE = 0o1777;

/** What is counted while an archive is extracted. */
export interface Unpacked {
  /** Bytes of regular files. */
  bytes: number;
}

/**
 * @param from the name of the archive's first entry
 * @param to an existing directory, and what the first entry is called there
 */
export async function unpack(
  archive: AsyncIterable<Uint8Array>,
  from: string,
  to: Placement,
  unpacked: Unpacked,
): Promise<void> {
  const reader = new ByteReader(archive, 'the archive of the box');
  const target = new Target(from, to, unpacked);
  try {
    for await (const entry of readTar(reader, Number.MAX_SAFE_INTEGER)) await target.add(entry);
    await target.leave('');
  } finally {
    await reader.close();
  }
}

class Target {
  readonly #from: string;
  readonly #name: string;
  readonly #directory: Buffer;
  readonly #unpacked: Unpacked;
  /** The directories that the archive is in, each with the mode and time that it gets at its end. */
  readonly #open: { path: string; mode: number; seconds: number }[] = [];

  constructor(from: string, { directory, name }: Placement, unpacked: Unpacked) {
    this.#from = bytesAsText(from);
    this.#name = bytesAsText(name);
    this.#directory = Buffer.from(directory);
    this.#unpacked = unpacked;
  }

  async add(entry: TarEntry): Promise<void> {
    const path = this.#place(entry.path);
    await this.leave(path);
    await this.#checkParents(path);
    const at = this.#at(path);
    const found = await statOf(at);
    const isDirectory = entry.type === 'directory';
    if (found !== undefined && found.isDirectory() !== isDirectory) {
      const [old, added] = isDirectory
        ? ['non-directory', 'directory']
        : ['directory', 'non-directory'];
      throw refused(`cannot overwrite ${old} ${quoted(at)} with ${added}`);
    }
    if (isDirectory) await this.#directoryAt(path, at, entry, found);
    else await this.#fileAt(path, at, entry, found);
  }

  /** Completes the directories that a path is not in. */
  async leave(path: string): Promise<void> {
    for (let last = this.#open.at(-1); last !== undefined; last = this.#open.at(-1)) {
      if (path.startsWith(`${last.path}/`)) return;
      this.#open.pop();
      const at = this.#at(last.path);
      await chmod(at, last.mode);
      await utimes(at, last.seconds, last.seconds);
    }
  }

  /** The path below the destination. Every entry is the archive's first one, or below it. */
  #place(name: string): string {
    const clean = name.replace(/\/+$/, '') || '/';
    const prefix = this.#from === '/' ? '/' : `${this.#from}/`;
    if (clean !== this.#from && !clean.startsWith(prefix)) throw outside(name);
    const rest = clean === this.#from ? '' : clean.slice(prefix.length);
    const components = rest === '' ? [] : rest.split('/');
    if (components.some((each) => ['', '.', '..'].includes(each)) || rest.includes('\0')) {
      throw outside(name);
    }
    const first = this.#name === '/' || this.#name === '.' ? [] : [this.#name];
    return [...first, ...components].join('/') || '.';
  }

  #at(path: string): Buffer {
    if (path === '.') return this.#directory;
    return Buffer.concat([this.#directory, Buffer.from(`/${path}`, 'latin1')]);
  }

  /** Whatever made a link there, the archive or somebody else: it is not followed. */
  async #checkParents(path: string): Promise<void> {
    const components = path.split('/');
    for (let count = 1; count < components.length; count += 1) {
      const at = this.#at(components.slice(0, count).join('/'));
      const found = await statOf(at);
      if (found === undefined) await mkdir(at, { mode: 0o755 });
      else if (!found.isDirectory()) throw refused(`${quoted(at)} is not a directory`);
    }
  }

  async #directoryAt(path: string, at: Buffer, entry: TarEntry, found?: Stats): Promise<void> {
    if (found === undefined) await mkdir(at, { mode: 0o700 });
    // As in Docker, a destination that was there keeps its own attributes.
    if (path === '.') return;
    const { seconds } = entry.mtime;
    this.#open.push({ path, mode: entry.mode & MODE, seconds });
  }

  async #fileAt(path: string, at: Buffer, entry: TarEntry, found?: Stats): Promise<void> {
    switch (entry.type) {
      case 'file':
        return await this.#content(at, entry);
      case 'symlink':
        if (entry.linkPath === '' || leaves(path, entry.linkPath)) {
          throw refused(`the link ${quoted(at)} leads out of the destination`);
        }
        if (found !== undefined) await unlink(at);
        return await symlink(Buffer.from(entry.linkPath, 'latin1'), at);
      case 'hardlink': {
        const target = this.#place(entry.linkPath);
        await this.#checkParents(target);
        const source = this.#at(target);
        if ((await statOf(source))?.isFile() !== true) {
          throw refused(`the hard link ${quoted(at)} names no file of the archive`);
        }
        if (found !== undefined) await unlink(at);
        return await link(source, at);
      }
      case 'fifo':
        if (found !== undefined) await unlink(at);
        await promisify(execFile)('mkfifo', ['-m', '600', '--', textOf(at)]);
        return await chmod(at, entry.mode & MODE);
      default:
        throw refused(`${quoted(at)} is a device node, which is not made on this host`);
    }
  }

  /** Writes beside the file, and moves the result there: an archive that breaks off leaves the older file. */
  async #content(at: Buffer, entry: TarEntry): Promise<void> {
    const suffix = `.${randomBytes(6).toString('hex')}.tmp`;
    const partial = Buffer.concat([parentOf(at), Buffer.from(`/.a3s-box-cp${suffix}`)]);
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    const file = await open(partial, flags, 0o600);
    try {
      try {
        for await (const chunk of entry.body) {
          await file.writeFile(chunk);
          this.#unpacked.bytes += chunk.length;
        }
        await file.chmod(entry.mode & MODE);
        await file.utimes(entry.mtime.seconds, entry.mtime.seconds);
      } finally {
        await file.close();
      }
      await rename(partial, at);
    } catch (error) {
      await rm(partial, { force: true });
      throw error;
    }
  }
}

/** Docker's rule: an absolute target leads nowhere before somebody follows it, and no later entry does. */
function leaves(path: string, target: string): boolean {
  if (target.startsWith('/')) return false;
  let depth = path.split('/').length - 1;
  for (const component of target.split('/')) {
    if (component === '..') depth -= 1;
    else if (component !== '' && component !== '.') depth += 1;
    if (depth < 0) return true;
  }
  return false;
}

async function statOf(path: Buffer): Promise<Stats | undefined> {
  try {
    return await lstat(path);
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  }
}

function parentOf(path: Buffer): Buffer {
  return path.subarray(0, path.lastIndexOf(0x2f));
}

function bytesAsText(name: string): string {
  return Buffer.from(name).toString('latin1');
}

function textOf(path: Buffer): string {
  return path.toString();
}

function quoted(path: Buffer): string {
  return JSON.stringify(textOf(path));
}

function outside(name: string): UsageError {
  return refused(`the entry ${JSON.stringify(name.slice(0, 200))} is outside of the destination`);
}

function refused(why: string): UsageError {
  return new UsageError(`Cannot copy from the box: ${why}`, { status: 1 });
}
