/**
 * Space for the records of ends and removals on a full disk: a file with nothing in it that is
 * given up for them in parts, and made again where there is room.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import {
  closeSync,
  fsyncSync,
  ftruncateSync,
  openSync,
  statfsSync,
  statSync,
  truncateSync,
  writeSync,
} from 'node:fs';
import { dirname } from 'node:path';
import type { Database } from 'better-sqlite3';
import { isDiskFull } from '../disk-full.ts';

/** Enough for some fifty ends: each takes a few pages of the write-ahead log. */
const BYTES = 512 * 1024;
/** What is given up at a time, since boxes may take what one record leaves of it. */
const PART = 64 * 1024;
/** Free bytes with which the reserve is made again. */
const ROOM = 4 * BYTES;
const CHECK_MS = 5000;

export interface ReserveOptions {
  readonly checkMs?: number;
  /** Called when the reserve begins to be given up, is whole again, or could not be made. */
  readonly onChange: (change: 'given-up' | 'made' | 'failed', error?: unknown) => void;
}

const reserves = new WeakMap<Database, Reserve>();

/**
 * Keeps a reserve beside the database, for writes within `withReserve`. Where there is no room now,
 * it is made later.
 *
 * @param path of the file
 */
export function keepReserve(database: Database, path: string, options: ReserveOptions): Disposable {
  const reserve = new Reserve(path, options);
  reserves.set(database, reserve);
  return reserve;
}

/**
 * Writes an end or a removal. Where the disk is full, a part of the reserve is given up and the
 * write is done again.
 *
 * @throws what `write` throws, also where nothing is left of the reserve
 */
export function withReserve<T>(database: Database, write: () => T): T {
  for (;;) {
    try {
      return write();
    } catch (error) {
      if (!isRecordFull(error) || reserves.get(database)?.giveUp() !== true) throw error;
    }
  }
}

/** Whether a record could not be written because the disk, or the user's quota on it, is full. */
export function isRecordFull(error: unknown): boolean {
  if (isDiskFull(error)) return true;
  // SQLite knows no quota: it reports a failed write.
  const full = ['SQLITE_FULL', 'SQLITE_IOERR_WRITE'];
  return error instanceof Error && 'code' in error && full.includes(String(error.code));
}

class Reserve implements Disposable {
  readonly #path: string;
  readonly #options: ReserveOptions;
  readonly #timer: NodeJS.Timeout;
  /** What is left of it. */
  #bytes = 0;
  #hasFailed = false;

  constructor(path: string, options: ReserveOptions) {
    this.#path = path;
    this.#options = options;
    this.#bytes = this.#make() ? BYTES : this.#left();
    this.#timer = setInterval(() => this.#restore(), options.checkMs ?? CHECK_MS).unref();
  }

  /** @returns whether there was something left of it */
  giveUp(): boolean {
    if (this.#bytes === 0) return false;
    const isWhole = this.#bytes === BYTES;
    this.#bytes -= PART;
    try {
      truncateSync(this.#path, this.#bytes);
    } catch {
      // Somebody has removed it, and made room by that.
      this.#bytes = 0;
    }
    if (isWhole) this.#options.onChange('given-up');
    return true;
  }

  [Symbol.dispose](): void {
    clearInterval(this.#timer);
  }

  #restore(): void {
    if (this.#bytes === BYTES || !this.#make()) return;
    this.#bytes = BYTES;
    this.#options.onChange('made');
  }

  /** What an earlier server has left of it. */
  #left(): number {
    const found = statSync(this.#path, { throwIfNoEntry: false });
    if (found === undefined || found.blocks * 512 < found.size) return 0;
    return found.size <= BYTES && found.size % PART === 0 ? found.size : 0;
  }

  /** Allocates its blocks: a sparse file, or one that compresses, would reserve nothing. */
  #make(): boolean {
    try {
      const left = this.#left();
      if (left === BYTES) return true;
      const { bavail, bsize } = statfsSync(dirname(this.#path));
      if (bavail * bsize < ROOM) return false;
      this.#extend(left);
      return true;
    } catch (error) {
      if (!isDiskFull(error) && !this.#hasFailed) {
        this.#hasFailed = true;
        this.#options.onChange('failed', error);
      }
      return false;
    }
  }

  /** Writes what is missing. Where that fails, it gives back what it took: a quota may be full. */
  #extend(left: number): void {
    const file = openSync(this.#path, left === 0 ? 'w' : 'r+', 0o600);
    try {
      const missing = randomBytes(BYTES - left);
      for (let done = 0; done < missing.length; ) {
        done += writeSync(file, missing, done, missing.length - done, left + done);
      }
      fsyncSync(file);
    } catch (error) {
      ftruncateSync(file, left);
      throw error;
    } finally {
      closeSync(file);
    }
  }
}
