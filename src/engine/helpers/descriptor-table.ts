/**
 * The open files that a VMM inherits, in the order of their numbers.
 *
 * @module
 */
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { A3sError } from '../../errors.ts';
import { listenFor } from './listener.ts';

/** Inherited descriptors come after the standard ones. */
const FIRST_FD = 3;

/** Disposing of it closes what it opened itself. The VMM has its own descriptors by then. */
export class DescriptorTable {
  readonly #fds: number[] = [];
  readonly #opened: { close(): Promise<void> }[] = [];

  /** Descriptors of this process, as `Helper.start` takes them. */
  get fds(): readonly number[] {
    return this.#fds;
  }

  /** @returns the number under which the VMM finds a descriptor that stays the caller's to close */
  lend(fd: number): number {
    return FIRST_FD + this.#fds.push(fd) - 1;
  }

  /** @throws A3sError `state-unusable` */
  async open(path: string, flags: number): Promise<number> {
    return this.keep(await openFile(path, flags));
  }

  /** Adds an open file, which is the table's to close from now on. */
  keep(handle: FileHandle): number {
    this.#opened.push(handle);
    return this.lend(handle.fd);
  }

  /** Adds a socket that listens at this path already. */
  async listen(path: string): Promise<number> {
    const listener = await listenFor(path);
    this.#opened.push(listener);
    return this.lend(listener.fd);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all(this.#opened.map((file) => file.close()));
  }
}

async function openFile(path: string, flags: number): Promise<FileHandle> {
  try {
    return await open(path, flags | constants.O_NOFOLLOW);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new A3sError('state-unusable', `Cannot start a microVM from ${path}: ${why}`, {
      cause: error,
    });
  }
}
