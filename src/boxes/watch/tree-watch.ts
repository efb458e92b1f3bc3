/**
 * Watches every directory of a tree with inotify.
 *
 * Node's own recursive watch follows links and has no bound. Here each directory is opened below
 * the one before it, so that no event comes from outside of the share, whatever the guest puts into
 * it meanwhile.
 *
 * @module
 */
import { type BigIntStats, type FSWatcher, watch } from 'node:fs';
import { type FileHandle, opendir } from 'node:fs/promises';
import type { Walked } from './event-rate.ts';
import { below, isTooLong, isUnreachable, openBelow, openDirectory, pathOf } from './held.ts';

/** How many more directories a box may have watched. */
export interface Budget {
  directories: number;
}

/** Deeper directories are not watched: the walk holds one descriptor for each level. */
const MAX_DEPTH = 64;
/** A walk stops after this number of names, whatever they name. */
const MAX_NAMES = 500_000;

/**
 * Large directories that nobody edits: they are watched last, so that they leave the others their
 * part of the budget.
 */
const LARGE: ReadonlySet<string> = new Set(['node_modules', '.git']);

interface Node {
  readonly watcher: FSWatcher;
  /** What Node names in events of the directory itself: the last part of the path it watches. */
  readonly ownName: string;
  readonly identity: string;
  readonly children: Set<string>;
}

export interface TreeListener {
  /**
   * Something happened to a name in a directory, or to the directory itself, in which case the name
   * means nothing.
   */
  changed(directory: string, name: string): void;
  /** Called for each directory that begins or ceases to be watched, and each name that is read. */
  walked(work: Walked): void;
  /** Not all directories can be watched. */
  limited(reason: string): void;
}

export class TreeWatch {
  readonly #root: FileHandle;
  readonly #budget: Budget;
  readonly #listener: TreeListener;
  readonly #nodes = new Map<string, Node>();
  #device: bigint | undefined;
  #names = 0;
  /** The host allows no more watches. */
  #isFull = false;
  #closed = false;

  /** @param root a directory, which the caller holds for as long as it watches */
  constructor(root: FileHandle, budget: Budget, listener: TreeListener) {
    this.#root = root;
    this.#budget = budget;
    this.#listener = listener;
  }

  /** The number of directories that are watched. */
  get size(): number {
    return this.#nodes.size;
  }

  /** Whether an event of this name can be one of the directory itself. */
  canBeItself(directory: string, name: string): boolean {
    return name === '' || name === this.#nodes.get(directory)?.ownName;
  }

  /**
   * Watches a directory and all below it. A directory that is watched already stays so, one that
   * has taken its place is watched instead. Resolves also when directories vanish meanwhile.
   */
  async add(path: string): Promise<void> {
    this.#names = 0;
    const large: string[] = [];
    await this.#addBelow(path, large);
    for (const each of large) await this.#addBelow(each);
  }

  async #addBelow(path: string, large?: string[]): Promise<void> {
    try {
      await this.#walk(await openBelow(this.#root, path), path, large);
    } catch (error) {
      if (!isUnreachable(error)) throw error;
    }
  }

  /** Watches a directory, and all below it, no more. */
  remove(path: string): void {
    const node = this.#nodes.get(path);
    if (node === undefined) return;
    this.#nodes.delete(path);
    this.#budget.directories += 1;
    node.watcher.close();
    if (!this.#closed) this.#listener.walked('directory');
    for (const name of node.children) this.remove(below(path, name));
    this.#nodes.get(parentOf(path))?.children.delete(nameOf(path));
  }

  close(): void {
    this.#closed = true;
    this.remove('');
  }

  /**
   * Takes over the descriptor.
   *
   * @param large receives the paths of large directories, which are not walked then
   */
  async #walk(directory: FileHandle, path: string, large?: string[]): Promise<void> {
    try {
      if (!this.#watch(directory, path, await directory.stat({ bigint: true }))) return;
      // Only now: what is made from here on has an event.
      for (const name of await this.#directoriesOf(directory)) {
        if (this.#closed) return;
        if (large !== undefined && LARGE.has(name)) {
          large.push(below(path, name));
          continue;
        }
        try {
          await this.#walk(await openDirectory(directory, name), below(path, name), large);
        } catch (error) {
          if (!isUnreachable(error)) throw error;
        }
      }
    } finally {
      await directory.close();
    }
  }

  async #directoriesOf(directory: FileHandle): Promise<string[]> {
    const names: string[] = [];
    for await (const entry of await opendir(pathOf(directory), { bufferSize: 256 })) {
      this.#names += 1;
      this.#listener.walked('name');
      if (this.#closed) break;
      if (this.#names > MAX_NAMES) {
        this.#listener.limited(`there are more than ${MAX_NAMES} files`);
        break;
      }
      if (entry.isDirectory() && names.length <= this.#budget.directories) names.push(entry.name);
    }
    return names;
  }

  /** Returns whether what is below is to be watched too. */
  #watch(directory: FileHandle, path: string, { dev, ino }: BigIntStats): boolean {
    if (this.#closed || this.#isFull) return false;
    this.#device ??= dev;
    // What the host has mounted in the tree is another filesystem, in which the agent cannot report
    // changes.
    if (dev !== this.#device) return false;
    const identity = `${dev}:${ino}`;
    const present = this.#nodes.get(path);
    if (present?.identity === identity) return false;
    if (present !== undefined) this.remove(path);
    if (path.split('/').length > MAX_DEPTH) {
      this.#listener.limited(`there are more than ${MAX_DEPTH} directories in each other`);
      return false;
    }
    if (isTooLong(path)) {
      this.#listener.limited('the paths of some directories are too long');
      return false;
    }
    if (this.#budget.directories === 0) {
      this.#listener.limited('there are too many directories');
      return false;
    }
    const above = this.#nodes.get(parentOf(path));
    // The directory above it was removed meanwhile.
    if (path !== '' && above === undefined) return false;
    const watcher = this.#open(directory, path);
    if (watcher === undefined) return false;
    this.#budget.directories -= 1;
    const ownName = nameOf(pathOf(directory));
    this.#nodes.set(path, { watcher, ownName, identity, children: new Set() });
    above?.children.add(nameOf(path));
    this.#listener.walked('directory');
    return !this.#closed;
  }

  #open(directory: FileHandle, path: string): FSWatcher | undefined {
    try {
      const watcher = watch(pathOf(directory), { persistent: false }, (_, name) => {
        this.#listener.changed(path, name ?? '');
      });
      watcher.on('error', () => this.remove(path));
      return watcher;
    } catch (error) {
      if (isUnreachable(error)) return undefined;
      this.#isFull = true;
      // ENOSPC: the user has as many inotify watches as the host allows; EMFILE: as many instances,
      // or open files.
      this.#listener.limited(error instanceof Error ? error.message : String(error));
      return undefined;
    }
  }
}

/** The path of the directory above; of the root, whose path is empty, an empty one too. */
function parentOf(path: string): string {
  return path.slice(0, Math.max(path.lastIndexOf('/'), 0));
}

function nameOf(path: string): string {
  return path.slice(path.lastIndexOf('/') + 1);
}
