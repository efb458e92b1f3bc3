/**
 * The templates of a home on disk: a directory for each, named by its key.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { lstat, readdir, rm, stat, utimes } from 'node:fs/promises';
import { join } from 'node:path';
import { renameDurably } from '../durable.ts';
import { Damaged } from './damaged.ts';
import type { MappedTemplate } from './mapped-template.ts';
import { checkPrivateDirectory } from './private-file.ts';
import { readRecord, TEMPLATE_FILES, type TemplateRecord } from './record.ts';

const KEY = /^[0-9a-f]{64}$/;
const MAKING = /^\.making-([0-9a-f]{64})$/;
const GONE = /^\.gone-/;
/** The precision with which the last use of a template is recorded on disk. */
const TOUCH_MS = 60_000;

/** A template that exists. */
export interface StoredTemplate {
  readonly record: TemplateRecord;
  readonly directory: string;
  readonly sizeBytes: number;
  /** Milliseconds since 1970, and since this process started: when it was added or found. */
  readonly seen: { readonly wall: number; readonly steady: number };
  /** Milliseconds since 1970. */
  lastUsed: number;
  touched: number;
  uses: number;
  /** Running VMs that started from it. */
  holders: number;
  loading: Promise<MappedTemplate> | undefined;
  mapped: MappedTemplate | undefined;
  /** It is no longer kept; its holders keep it. */
  removed: boolean;
}

export interface Clock {
  /** Milliseconds since 1970; may jump. */
  wall(): number;
  /** Milliseconds; never goes back. */
  steady(): number;
}

export class TemplateDirectory {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #entries = new Map<string, StoredTemplate>();

  /** @param directory exists, and belongs to this user alone */
  constructor(directory: string, clock: Clock) {
    this.#directory = directory;
    this.#clock = clock;
  }

  /**
   * Finds the templates that an earlier server left.
   *
   * @param onUnfinished called with the id of each VM that was being made
   * @param onTrouble called with the fault of a template; a damaged template is removed by then
   */
  async open(
    onUnfinished: (id: string) => Promise<void>,
    onTrouble: (key: string, error: unknown) => void,
  ): Promise<void> {
    for (const name of await readdir(this.#directory)) {
      const path = join(this.#directory, name);
      const making = MAKING.exec(name)?.[1];
      if (making !== undefined) await onUnfinished(making);
      if (making !== undefined || GONE.test(name)) await rm(path, { recursive: true, force: true });
      if (!KEY.test(name)) continue;
      try {
        await this.#find(name, path);
      } catch (error) {
        if (error instanceof Damaged) await this.#discard(path);
        onTrouble(name, error);
      }
    }
  }

  get(key: string): StoredTemplate | undefined {
    return this.#entries.get(key);
  }

  /** Newest first. */
  list(): StoredTemplate[] {
    // Of equal age, the one that came last: the sort is stable.
    const entries = [...this.#entries.values()].reverse();
    return entries.sort((a, b) => Date.parse(b.record.createdAt) - Date.parse(a.record.createdAt));
  }

  /** The directory of a template whose VM has this id. */
  workDirectory(machineId: string): string {
    return join(this.#directory, `.making-${machineId}`);
  }

  /** Keeps a finished directory as a template. It replaces one that has the same key. */
  async put(work: string, record: TemplateRecord): Promise<{ before: StoredTemplate | undefined }> {
    const before = this.#entries.get(record.key);
    if (before !== undefined) await this.remove(before);
    const path = join(this.#directory, record.key);
    await renameDurably(work, path);
    await this.#keep(record, path, this.#clock.wall());
    return { before };
  }

  /** Removes it. Its holders keep it. */
  async remove(entry: StoredTemplate): Promise<void> {
    if (entry.removed) return;
    entry.removed = true;
    this.#entries.delete(entry.record.key);
    await this.#discard(entry.directory);
  }

  /** Records a use. */
  async touch(entry: StoredTemplate): Promise<void> {
    const now = this.#clock.wall();
    entry.uses += 1;
    entry.lastUsed = now;
    if (entry.removed || Math.abs(now - entry.touched) < TOUCH_MS) return;
    entry.touched = now;
    await utimes(entry.directory, now / 1000, now / 1000);
  }

  async #find(key: string, path: string): Promise<void> {
    await checkPrivateDirectory(path);
    const record = await readRecord(path, key);
    for (const name of TEMPLATE_FILES) {
      const found = await lstat(join(path, name)).catch(() => undefined);
      if (found === undefined) throw new Damaged(`${name}: it is missing`);
      const expected = record.files[name].bytes;
      if (found.size === expected) continue;
      throw new Damaged(`${name}: it has ${found.size} bytes instead of ${expected}`);
    }
    await this.#keep(record, path, (await stat(path)).mtimeMs);
  }

  async #keep(record: TemplateRecord, directory: string, lastUsed: number): Promise<void> {
    let sizeBytes = 0;
    for (const { bytes } of Object.values(record.files)) sizeBytes += bytes;
    this.#entries.set(record.key, {
      ...{ record, directory, sizeBytes, lastUsed },
      seen: { wall: this.#clock.wall(), steady: this.#clock.steady() },
      ...{ touched: 0, uses: 0, holders: 0, removed: false },
      ...{ loading: undefined, mapped: undefined },
    });
  }

  /** Renamed first, so that no reader, and no server after a power cut, finds a part of it. */
  async #discard(path: string): Promise<void> {
    const gone = join(this.#directory, `.gone-${randomBytes(8).toString('hex')}`);
    await renameDurably(path, gone);
    await rm(gone, { recursive: true, force: true });
  }
}
