/**
 * Watches one share of a box for changes that programs of the host make: those of a directory and
 * all below it, or of a single file.
 *
 * @module
 */
import { type FSWatcher, lstat, watch } from 'node:fs';
import type { FileHandle } from 'node:fs/promises';
import { promisify } from 'node:util';
import type { Walked } from './event-rate.ts';
import { below, isTooLong, isUnreachable, openBelow, pathOf } from './held.ts';
import { Seen } from './seen.ts';
import { type Budget, TreeWatch } from './tree-watch.ts';

const lstatPath = promisify(lstat);

/** Names that wait to be looked at. Of further ones the root alone is reported. */
const MAX_PENDING = 20_000;

export interface ShareListener {
  /** Something may have changed; called for every event. */
  changed(): void;
  /** Called for each directory that begins or ceases to be watched, and each name that is read. */
  walked(work: Walked): void;
  /** Some changes will not be seen, and why. */
  limited(reason: string): void;
}

export class ShareWatch {
  readonly tag: string;
  readonly #root: FileHandle;
  readonly #budget: Budget;
  readonly #listener: ShareListener;
  readonly #maxPending: number;
  readonly #seen = new Seen();
  /** Names by their directory. The empty name is the directory itself. */
  readonly #pending = new Map<string, Set<string>>();
  #names = 0;
  /** Names were lost since the last time that none was pending. */
  #isLossy = false;
  #tree: TreeWatch | undefined;
  #file: FSWatcher | undefined;

  /** @param root what is shared; this object closes it */
  constructor(
    tag: string,
    root: FileHandle,
    budget: Budget,
    listener: ShareListener,
    maxPending = MAX_PENDING,
  ) {
    this.tag = tag;
    this.#root = root;
    this.#budget = budget;
    this.#listener = listener;
    this.#maxPending = maxPending;
  }

  /** Whether `take` has something to look at. */
  get isPending(): boolean {
    return this.#names > 0;
  }

  /** The number of directories that are watched. */
  get directories(): number {
    return this.#tree?.size ?? 0;
  }

  /** Begins to watch, or begins anew after `stop`. Rejects where the file system fails. */
  async start(): Promise<void> {
    // Nothing else holds what an earlier start has opened.
    this.stop();
    if ((await this.#root.stat()).isDirectory()) {
      this.#tree = new TreeWatch(this.#root, this.#budget, {
        changed: (directory, name) => this.#changed(directory, name),
        walked: (work) => this.#listener.walked(work),
        limited: (reason) => this.#listener.limited(reason),
      });
      return await this.#tree.add('');
    }
    this.#watchFile();
  }

  #watchFile(): void {
    try {
      this.#file = watch(pathOf(this.#root), { persistent: false }, () => this.#changed('', ''));
      this.#file.on('error', () => this.#file?.close());
    } catch (error) {
      this.#listener.limited(error instanceof Error ? error.message : String(error));
    }
  }

  /** Watches nothing any more. What is pending stays so. */
  stop(): void {
    this.#tree?.close();
    this.#file?.close();
  }

  async close(): Promise<void> {
    this.stop();
    await this.#root.close();
  }

  /** Has the next `take` report the root of the share, whatever was seen of it. */
  reportRoot(): void {
    this.#seen.forget('');
    this.#add('', '');
  }

  /** The box could not be told of this path: it is reported with its next event. */
  forget(path: string): void {
    this.#seen.forget(path);
  }

  /**
   * Looks at some of what is pending. Returns the paths that have changed, at most `limit`; more
   * may be pending.
   */
  async take(limit: number): Promise<string[]> {
    const changed: string[] = [];
    for (let left = limit; left > 0; ) {
      const [next] = this.#pending;
      if (next === undefined) break;
      const [directory, all] = next;
      const names = [...all].slice(0, left);
      for (const name of names) all.delete(name);
      if (all.size === 0) this.#pending.delete(directory);
      this.#names -= names.length;
      left -= names.length;
      changed.push(...(await this.#changesOf(directory, names)));
    }
    if (this.#isLossy && !this.isPending) {
      this.#isLossy = false;
      this.reportRoot();
    }
    return changed;
  }

  #changed(directory: string, name: string): void {
    this.#add(directory, name);
    this.#listener.changed();
  }

  #add(directory: string, name: string): void {
    let names = this.#pending.get(directory);
    if (names?.has(name) === true) return;
    if (this.#names >= this.#maxPending) {
      this.#isLossy = true;
      this.#listener.limited('too many changes wait to be reported');
      return;
    }
    if (names === undefined) {
      names = new Set();
      this.#pending.set(directory, names);
    }
    names.add(name);
    this.#names += 1;
  }

  async #changesOf(directory: string, names: readonly string[]): Promise<string[]> {
    if (this.#tree === undefined) return await this.#changesOfFile();
    let held: FileHandle;
    try {
      held = await openBelow(this.#root, directory);
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      // The event of the directory above has reported it.
      this.#tree.remove(directory);
      return [];
    }
    try {
      const changed: string[] = [];
      const gone: string[] = [];
      // Of the directory itself: only where it differs from the last look is there a change.
      const own: string[] = [];
      for (const name of names) {
        const path = name === '' ? directory : below(directory, name);
        if (isTooLong(path)) continue;
        const isThere = name !== '' && (await this.#look(held, name, path, changed));
        if (!isThere) (this.#tree.canBeItself(directory, name) ? own : gone).push(path);
      }
      if (gone.length + own.length === 0) return changed;
      const isNew = this.#seen.isNew(directory, await held.stat({ bigint: true }));
      // A name that is gone is a change even then: the last look may have seen several removals.
      return isNew ? [...changed, ...gone, ...own] : [...changed, ...gone];
    } finally {
      await held.close();
    }
  }

  /** Returns whether the name is there, and adds its path to those that have changed. */
  async #look(held: FileHandle, name: string, path: string, changed: string[]): Promise<boolean> {
    try {
      const stats = await lstatPath(pathOf(held, name), { bigint: true });
      // Before the report: what is made in the directory after it has an event of its own.
      if (stats.isDirectory()) await this.#tree?.add(path);
      if (this.#seen.isNew(path, stats)) changed.push(path);
      return true;
    } catch (error) {
      if (!isUnreachable(error)) throw error;
      this.#tree?.remove(path);
      return false;
    }
  }

  async #changesOfFile(): Promise<string[]> {
    return this.#seen.isNew('', await this.#root.stat({ bigint: true })) ? [''] : [];
  }
}
