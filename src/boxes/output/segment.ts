/**
 * One file of a log: its bytes from a position on.
 *
 * Readers do not keep it open: a thousand followers that each wait for a slow client would hold a
 * thousand descriptors.
 *
 * @module
 */
import { type FileHandle, open, readdir, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { Semaphore } from '../../async/semaphore.ts';
import { compressFile, forgetInflated, inflateFile, MAX_COMPRESSED } from './compressed.ts';
import { decodeMark, MARK_BYTES } from './mark.ts';
import { decodeRecord } from './record.ts';
import { NOTHING, type Tally } from './tally.ts';

/** The number of descriptors that all readers of all logs may have open at once. */
const reads = new Semaphore(64);

export class Segment {
  /** Position of its first byte in the log as a whole. */
  readonly base: number;
  /** Without the suffix that a compressed one has. */
  readonly path: string;
  #compressed: boolean;
  #removed = false;
  #large = false;
  #before: Tally | undefined;
  /** What the file is read from once its name may be gone. */
  #held: FileHandle | Buffer | undefined;

  constructor(path: string, base: number, compressed = false, before?: Tally) {
    this.path = path;
    this.base = base;
    this.#compressed = compressed;
    this.#before = before ?? (base === 0 ? NOTHING : undefined);
  }

  get compressed(): boolean {
    return this.#compressed;
  }

  /** Whether the file can be compressed. */
  get compressible(): boolean {
    return !this.#compressed && !this.#removed && !this.#large;
  }

  get removed(): boolean {
    return this.#removed;
  }

  /** Up to `length` bytes from `at` on; undefined when the file is gone. */
  async read(at: number, length: number): Promise<Buffer | undefined> {
    if (this.#removed) return undefined;
    if (this.#held !== undefined) return await readHeld(this.#held, at, length);
    // The file may be compressed in between.
    for (const compressed of [this.#compressed, !this.#compressed]) {
      try {
        return compressed
          ? (await inflateFile(`${this.path}.gz`)).subarray(at, at + length)
          : await reads.run(() => readPart(this.path, at, length));
      } catch (error) {
        if (compressed && isDamage(error)) return Buffer.alloc(0);
        if (!isMissing(error)) throw error;
      }
    }
    return undefined;
  }

  /** The tally of what was before it; undefined where it is unknown. */
  async before(): Promise<Tally | undefined> {
    if (this.#before !== undefined) return this.#before;
    const bytes = await this.read(0, MARK_BYTES);
    const found = bytes === undefined ? undefined : decodeRecord(bytes);
    if (found === undefined || 'need' in found) return undefined;
    this.#before = decodeMark(found);
    return this.#before;
  }

  /** From now on the file can be read even when its name is gone. It is not compressed any more. */
  async hold(): Promise<void> {
    if (this.#held !== undefined || this.#removed) return;
    this.#held = this.#compressed
      ? await inflateFile(`${this.path}.gz`)
      : await open(this.path, 'r');
  }

  /** The file is not read any more. */
  async release(): Promise<void> {
    const held = this.#held;
    this.#held = undefined;
    this.#removed = true;
    if (held !== undefined && !Buffer.isBuffer(held)) await held.close();
  }

  async compress(): Promise<void> {
    try {
      this.#large = (await stat(this.path)).size > MAX_COMPRESSED;
      if (!this.compressible) return;
      await compressFile(this.path);
      this.#compressed = true;
      await rm(this.path, { force: true });
    } catch (error) {
      if (!this.#removed) throw error;
    }
    if (this.#removed) await this.remove();
  }

  async remove(): Promise<void> {
    this.#removed = true;
    forgetInflated(`${this.path}.gz`);
    await rm(this.path, { force: true });
    await rm(`${this.path}.gz`, { force: true });
  }
}

/**
 * The path of the file that begins at `base`. The first file has the log's own name, as the only
 * one had in earlier versions.
 */
export function segmentPath(path: string, base: number): string {
  return base === 0 ? path : `${path}.${String(base).padStart(16, '0')}`;
}

/** The files of the log at `path`, oldest first. What a crash left beside them is cleaned up. */
export async function findSegments(path: string): Promise<Segment[]> {
  const found = new Map<number, Segment>();
  await tidy(path);
  for (const name of (await namesIn(dirname(path))).sort()) {
    const match = /^(?:\.(\d{16}))?(\.gz)?$/.exec(suffixOf(name, basename(path)) ?? '-');
    if (match === null) continue;
    const base = Number(match[1] ?? 0);
    // Both exist when a crash came before the plain file was removed. The plain file is whole.
    if (found.has(base)) await rm(`${segmentPath(path, base)}.gz`, { force: true });
    else found.set(base, new Segment(segmentPath(path, base), base, match[2] !== undefined));
  }
  return [...found.values()].sort((a, b) => a.base - b.base);
}

/**
 * A file is renamed from `.new` once it is whole. A repaired file replaces the damaged one in two
 * steps.
 */
async function tidy(path: string): Promise<void> {
  const directory = dirname(path);
  const names = new Set(await namesIn(directory));
  for (const name of names) {
    const match = /^((?:\.\d{16})?(?:\.gz)?)\.new$/.exec(suffixOf(name, basename(path)) ?? '-');
    if (match === null) continue;
    const whole = `${basename(path)}${match[1] ?? ''}`;
    if (whole.endsWith('.gz') || names.has(whole)) await rm(join(directory, name), { force: true });
    else await rename(join(directory, name), join(directory, whole));
  }
}

function suffixOf(name: string, prefix: string): string | undefined {
  return name.startsWith(prefix) ? name.slice(prefix.length) : undefined;
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if (isMissing(error)) return [];
    throw error;
  }
}

async function readHeld(held: FileHandle | Buffer, at: number, length: number): Promise<Buffer> {
  return Buffer.isBuffer(held) ? held.subarray(at, at + length) : await readAt(held, at, length);
}

async function readAt(file: FileHandle, at: number, length: number): Promise<Buffer> {
  const bytes = Buffer.allocUnsafe(length);
  const { bytesRead } = await file.read(bytes, 0, length, at);
  return bytes.subarray(0, bytesRead);
}

async function readPart(path: string, at: number, length: number): Promise<Buffer> {
  const file = await open(path, 'r');
  try {
    return await readAt(file, at, length);
  } finally {
    await file.close();
  }
}

/** Errors that zlib reports for damaged data. */
function isDamage(error: unknown): boolean {
  return error instanceof Error && 'code' in error && /^(Z_|ERR_)/.test(String(error.code));
}

function isMissing(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'ENOENT';
}
