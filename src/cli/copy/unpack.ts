/**
 * Extracts an archive that a box has sent. The box may be hostile: nothing outside of the
 * destination is touched.
 *
 * The destination may be shared with a guest, which may put links in it meanwhile. None of them is
 * followed.
 *
 * Files belong to this process's user. Set-id bits and extended attributes are dropped: a program
 * of a box must not get a user's rights on this host.
 *
 * @module
 */
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
import { basename, dirname } from 'node:path';
import { ByteReader } from '../../images/byte-reader.ts';
import { readTar, type TarEntry } from '../../images/tar/read-tar.ts';
import { UsageError } from '../usage-error.ts';
import { Held, hasCode, MAX_DEPTH, withPath } from './held.ts';
import { makeFifo } from './make-fifo.ts';
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
    await target.leave(0);
  } finally {
    await target.close();
    await reader.close();
  }
}

/** A directory that the archive is in. */
interface Level {
  readonly name: string;
  readonly held: Held;
  /** What it gets at its end, if the archive has an entry for it. */
  readonly attributes?: { readonly mode: number; readonly seconds: number };
}

/** A name in a directory that is held. */
interface Place {
  readonly parent: Held;
  readonly name: Buffer;
  /** Below the destination. */
  readonly components: readonly string[];
  readonly found: Stats | undefined;
}

class Target {
  readonly #from: string;
  readonly #name: string;
  readonly #directory: string;
  readonly #unpacked: Unpacked;
  /** The destination, from the first entry on. */
  #base: Held | undefined;
  /**
   * Where the archive is, from below the destination to the last directory: each was looked up
   * once, in the one before.
   */
  readonly #levels: Level[] = [];

  constructor(from: string, { directory, name }: Placement, unpacked: Unpacked) {
    this.#from = bytesAsText(from);
    this.#name = bytesAsText(name);
    this.#directory = directory;
    this.#unpacked = unpacked;
  }

  async add(entry: TarEntry): Promise<void> {
    const components = this.#place(entry.path);
    try {
      await this.#add(entry, components);
    } catch (error) {
      throw withPath(error, this.#path(components));
    }
  }

  /** Completes the directories that are not among the first ones. */
  async leave(remaining: number): Promise<void> {
    while (this.#levels.length > remaining) {
      const last = this.#levels.pop();
      if (last === undefined) return;
      try {
        if (last.attributes === undefined) continue;
        const { mode, seconds } = last.attributes;
        await chmod(last.held.itself, mode);
        await utimes(last.held.itself, seconds, seconds);
      } catch (error) {
        throw withPath(error, this.#path([...this.#levels, last].map(({ name }) => name)));
      } finally {
        await last.held.close();
      }
    }
  }

  /** Gives up what is held. Directories that were not completed stay as they are. */
  async close(): Promise<void> {
    for (const { held } of this.#levels.splice(0)) await held.close();
    await this.#base?.close();
  }

  async #add(entry: TarEntry, components: readonly string[]): Promise<void> {
    const isDirectory = entry.type === 'directory';
    const last = components.at(-1);
    if (last === undefined) {
      if (!isDirectory) throw this.#otherKind(components, isDirectory);
      // As in Docker, a destination that was there keeps its own attributes.
      this.#base ??= await holdOrMake(this.#directory);
      return await this.leave(0);
    }
    // Refused before any of them is made.
    if (components.length - (isDirectory ? 0 : 1) > MAX_DEPTH) {
      const path = quoted(this.#path(components));
      throw refused(`${path} has more than ${MAX_DEPTH} directories in each other`);
    }
    this.#base ??= await Held.directory(this.#directory);
    const parent = await this.#enter(this.#base, components.slice(0, -1));
    const name = Buffer.from(last, 'latin1');
    const found = await statOf(parent.at(name));
    if (found !== undefined && found.isDirectory() !== isDirectory) {
      throw this.#otherKind(components, isDirectory);
    }
    const place = { parent, name, components, found };
    if (!isDirectory) return await this.#fileAt(place, entry);
    const held = await this.#directoryAt(parent, components, 0o700);
    const attributes = { mode: entry.mode & MODE, seconds: entry.mtime.seconds };
    this.#levels.push({ name: last, held, attributes });
  }

  /**
   * The names below the destination, none for itself. Every entry is the archive's first one, or
   * below it.
   */
  #place(name: string): readonly string[] {
    const clean = name.replace(/\/+$/, '') || '/';
    const prefix = this.#from === '/' ? '/' : `${this.#from}/`;
    if (clean !== this.#from && !clean.startsWith(prefix)) throw outside(name);
    const rest = clean === this.#from ? '' : clean.slice(prefix.length);
    const components = rest === '' ? [] : rest.split('/');
    if (components.some((each) => ['', '.', '..'].includes(each)) || rest.includes('\0')) {
      throw outside(name);
    }
    const first = this.#name === '/' || this.#name === '.' ? [] : [this.#name];
    return [...first, ...components];
  }

  /** For messages. */
  #path(components: readonly string[]): Buffer {
    const below = components.map((each) => `/${each}`).join('');
    return Buffer.concat([Buffer.from(this.#directory), Buffer.from(below, 'latin1')]);
  }

  /** How many of these directories the archive is in already. */
  #common(directories: readonly string[]): number {
    const other = this.#levels.findIndex(({ name }, index) => name !== directories[index]);
    return other < 0 ? this.#levels.length : other;
  }

  /** Leaves the directories that are not on the way, and enters those that are. */
  async #enter(base: Held, directories: readonly string[]): Promise<Held> {
    const common = this.#common(directories);
    await this.leave(common);
    for (const [index, name] of directories.entries()) {
      if (index < common) continue;
      const parent = this.#levels.at(-1)?.held ?? base;
      const held = await this.#directoryAt(parent, directories.slice(0, index + 1), 0o755);
      this.#levels.push({ name, held });
    }
    return this.#levels.at(-1)?.held ?? base;
  }

  /** Holds a directory, and makes it where nothing is. A link is not followed. */
  async #directoryAt(parent: Held, components: readonly string[], mode: number): Promise<Held> {
    const path = this.#path(components);
    const name = Buffer.from(components.at(-1) ?? '', 'latin1');
    try {
      if ((await statOf(parent.at(name))) === undefined) await mkdir(parent.at(name), { mode });
      return await parent.childDirectory(name);
    } catch (error) {
      if (hasCode(error, 'ENOTDIR')) throw refused(`${quoted(path)} is not a directory`);
      throw withPath(error, path);
    }
  }

  async #fileAt(place: Place, entry: TarEntry): Promise<void> {
    const { parent, name, components, found } = place;
    const at = parent.at(name);
    const path = quoted(this.#path(components));
    switch (entry.type) {
      case 'file':
        return await this.#content(place, entry);
      case 'symlink':
        if (entry.linkPath === '' || leaves(components.length - 1, entry.linkPath)) {
          throw refused(`the link ${path} leads out of the destination`);
        }
        if (found !== undefined) await unlink(at);
        return await symlink(Buffer.from(entry.linkPath, 'latin1'), at);
      case 'hardlink':
        return await this.#hardLink(place, this.#place(entry.linkPath));
      case 'fifo':
        return await replace(place, async (partial) => {
          if (await makeFifo(parent, partial, entry.mode & MODE)) return;
          throw refused(`${path} was replaced while it was made`);
        });
      default:
        throw refused(`${path} is a device node, which is not made on this host`);
    }
  }

  async #hardLink({ parent, name, components, found }: Place, target: readonly string[]) {
    const why = `the hard link ${quoted(this.#path(components))} names no file of the archive`;
    const last = target.at(-1);
    if (last === undefined) throw refused(why);
    const directories = target.slice(0, -1);
    const common = this.#common(directories);
    let from = common === 0 ? this.#base : this.#levels[common - 1]?.held;
    let own: Held | undefined;
    try {
      for (const each of directories.slice(common)) {
        const next: Held | undefined = await from?.childDirectory(Buffer.from(each, 'latin1'));
        await own?.close();
        own = next;
        from = next;
      }
      const source = from?.at(Buffer.from(last, 'latin1'));
      if (source === undefined || (await statOf(source))?.isFile() !== true) throw refused(why);
      if (found !== undefined) await unlink(parent.at(name));
      await link(source, parent.at(name));
    } catch (error) {
      throw hasCode(error, 'ENOENT') || hasCode(error, 'ENOTDIR') ? refused(why) : error;
    } finally {
      await own?.close();
    }
  }

  async #content(place: Place, entry: TarEntry): Promise<void> {
    const flags = constants.O_WRONLY | constants.O_CREAT | constants.O_EXCL | constants.O_NOFOLLOW;
    await replace(place, async (partial) => {
      const file = await open(place.parent.at(partial), flags, 0o600);
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
    });
  }

  #otherKind(components: readonly string[], isDirectory: boolean): UsageError {
    const [old, added] = isDirectory
      ? ['non-directory', 'directory']
      : ['directory', 'non-directory'];
    return refused(`cannot overwrite ${old} ${quoted(this.#path(components))} with ${added}`);
  }
}

/**
 * Makes something beside the name, and moves it there: an archive that breaks off leaves the older
 * file.
 */
async function replace(
  { parent, name }: Place,
  make: (partial: Buffer) => Promise<void>,
): Promise<void> {
  const partial = Buffer.from(`.a3s-box-cp.${randomBytes(6).toString('hex')}.tmp`);
  try {
    await make(partial);
    await rename(parent.at(partial), parent.at(name));
  } catch (error) {
    await rm(parent.at(partial), { force: true });
    throw error;
  }
}

/** The destination, which a copy of a directory makes where nothing is. */
async function holdOrMake(path: string): Promise<Held> {
  try {
    return await Held.directory(path);
  } catch (error) {
    if (!hasCode(error, 'ENOENT')) throw error;
  }
  const parent = await Held.directory(dirname(path));
  try {
    const name = Buffer.from(basename(path));
    await mkdir(parent.at(name), { mode: 0o700 });
    return await parent.childDirectory(name);
  } finally {
    await parent.close();
  }
}

/**
 * Docker's rule: an absolute target leads nowhere before somebody follows it, and no later entry
 * does.
 */
function leaves(directories: number, target: string): boolean {
  if (target.startsWith('/')) return false;
  let depth = directories;
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
    if (hasCode(error, 'ENOENT')) return undefined;
    throw error;
  }
}

function bytesAsText(name: string): string {
  return Buffer.from(name).toString('latin1');
}

function quoted(path: Buffer): string {
  return JSON.stringify(path.toString());
}

function outside(name: string): UsageError {
  return refused(`the entry ${JSON.stringify(name.slice(0, 200))} is outside of the destination`);
}

function refused(why: string): UsageError {
  return new UsageError(`Cannot copy from the box: ${why}`, { status: 1 });
}
