/**
 * Files and directories that are held by a descriptor, and so stay the same when their names
 * change.
 *
 * `cp` reads and writes directories that a box may share. Its guest may put a link in the place of
 * a directory at any moment, so each name is looked up once, in the directory that is held, and
 * without following a link.
 *
 * @module
 */
import { constants, type Stats } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';

/** A flag of open(2) for what is named, and neither read nor written. Node has no name for it. */
const O_PATH = 0o10000000;

/**
 * The most directories in each other. Each of them has descriptors for as long as something in it
 * is copied.
 */
export const MAX_DEPTH = 512;

/** A file, directory, link or pipe, of which nothing was opened yet. */
export class Held {
  readonly #handle: FileHandle;

  private constructor(handle: FileHandle) {
    this.#handle = handle;
  }

  /** The directory that a user has named. The links in its path are followed. */
  static async directory(path: string): Promise<Held> {
    return new Held(await open(path, O_PATH | constants.O_DIRECTORY));
  }

  /** What the name is in this directory: a link is held itself. */
  async child(name: Buffer): Promise<Held> {
    return new Held(await open(this.at(name), O_PATH | constants.O_NOFOLLOW));
  }

  /** @throws the kernel's `ENOTDIR` for everything else, links included */
  async childDirectory(name: Buffer): Promise<Held> {
    const flags = O_PATH | constants.O_NOFOLLOW | constants.O_DIRECTORY;
    return new Held(await open(this.at(name), flags));
  }

  /**
   * A path of the file itself, for this process and only while it is held. It is not one of a link
   * that is held.
   */
  get itself(): string {
    return `/proc/self/fd/${this.#handle.fd}`;
  }

  /** A path of a name in this directory, for this process and only while the directory is held. */
  at(name: Buffer): Buffer {
    return Buffer.concat([Buffer.from(`${this.itself}/`), name]);
  }

  async stat(): Promise<Stats> {
    return await this.#handle.stat();
  }

  async close(): Promise<void> {
    await this.#handle.close();
  }
}

/**
 * The system's error about something held, with the path that the user knows. Any other error stays
 * as it is.
 */
export function withPath(error: unknown, path: Buffer): unknown {
  if (!(error instanceof Error && 'syscall' in error && 'code' in error)) return error;
  const end = error.message.indexOf(" '/proc/self/fd/");
  if (end < 0) return error;
  const message = `${error.message.slice(0, end)} ${JSON.stringify(path.toString())}`;
  const { code, syscall } = error;
  return Object.assign(new Error(message, { cause: error }), { code, syscall });
}

export function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
