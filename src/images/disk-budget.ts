/**
 * Keeps the contents of an archive from filling the disk, which all else needs too.
 *
 * @module
 */
import { statfs } from 'node:fs/promises';
import { isDiskFull } from '../disk-full.ts';
import { A3sError } from '../errors.ts';

/** Bytes that stay free: databases, logs and boxes' disks need room. */
const RESERVE = 128 * 1024 * 1024;

export class DiskBudget {
  /** Where the space is, for messages. */
  readonly directory: string;
  #left: number;

  /** @param left bytes that may be written */
  constructor(directory: string, left: number) {
    this.directory = directory;
    this.#left = left;
  }

  /** What may be written below `directory` now. */
  static async of(directory: string): Promise<DiskBudget> {
    const { bavail, bsize } = await statfs(directory);
    return new DiskBudget(directory, bavail * bsize - RESERVE);
  }

  /** Bytes that may still be written. */
  get left(): number {
    return this.#left;
  }

  /** @throws A3sError `disk-full` when so many more bytes would touch the reserve */
  take(bytes: number): void {
    this.#left -= bytes;
    if (this.#left < 0) throw diskFull(this.directory);
  }
}

export function diskFull(directory: string, cause?: unknown): A3sError {
  return new A3sError('disk-full', `Cannot store the image: no space is left in ${directory}`, {
    remedy: 'Free some space, for example by removing images with a3s-box rmi, and try again.',
    cause,
  });
}

/** Turns the system's error for a full disk into `disk-full`; returns any other error as it is. */
export function explainDiskError(error: unknown, directory: string): unknown {
  return isDiskFull(error) ? diskFull(directory, error) : error;
}
