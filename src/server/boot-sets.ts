/**
 * The boot sets of a home: each box pins the one that was current when it was created.
 *
 * @module
 */
import { readdir, rm, stat } from 'node:fs/promises';
import { basename, isAbsolute, join } from 'node:path';
import {
  type BootSet,
  INSTALLING,
  installBootSet,
  pinnedBootSet,
  readBootSet,
} from '../boot/bootset.ts';
import { type BootPlaces, findBootSet, isKept } from '../boot/sets.ts';
import type { BootSets } from '../boxes/runtime.ts';

/** Far longer than the copying of a set takes. */
const ARRIVAL_MS = 3_600_000;

export class PinnedBootSets implements BootSets {
  readonly #config: BootPlaces;

  constructor(config: BootPlaces) {
    this.#config = config;
  }

  async current(asked?: string): Promise<string> {
    const { bootDir, home } = this.#config;
    if (asked === undefined) return (await installBootSet(bootDir, home)).id;
    if (isAbsolute(asked)) return (await installBootSet(asked, home)).id;
    const { set, current } = await findBootSet(this.#config, asked);
    return current ? (await installBootSet(bootDir, home)).id : set.id;
  }

  open(id: string): Promise<BootSet> {
    return pinnedBootSet(this.#config.home, id);
  }

  /** The set that came with this installation; undefined where there is none yet. */
  async available(): Promise<BootSet | undefined> {
    return await readBootSet(this.#config.bootDir).catch(() => undefined);
  }

  /** Removes the sets that neither a box pins nor anybody imported; the current one comes back when it is needed. */
  async sweep(pinned: ReadonlySet<string>): Promise<void> {
    const { home } = this.#config;
    const directory = join(home, 'boot');
    const kept = new Set([...pinned, (await this.available())?.id]);
    const names = await readdir(directory).catch(() => []);
    for (const name of names) {
      const path = join(directory, name);
      if (kept.has(name) || (await isKept(home, name)) || (await isArriving(path))) continue;
      await rm(path, { recursive: true, force: true });
    }
  }
}

/** A set that is being copied or imported, by whatever process, is not taken away from it. */
async function isArriving(path: string): Promise<boolean> {
  if (!basename(path).startsWith(INSTALLING)) return false;
  const found = await stat(path).catch(() => undefined);
  return found !== undefined && Date.now() - found.mtimeMs < ARRIVAL_MS;
}
