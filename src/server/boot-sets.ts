/**
 * The boot sets of a home: each box pins the one that was current when it was created.
 *
 * @module
 */
import { readdir, rm } from 'node:fs/promises';
import { isAbsolute, join } from 'node:path';
import {
  type BootSet,
  installBootSet,
  isBootSetId,
  pinnedBootSet,
  readBootSet,
} from '../boot/bootset.ts';
import type { BootSets } from '../boxes/runtime.ts';
import type { Config } from '../config.ts';
import { A3sError } from '../errors.ts';

export class PinnedBootSets implements BootSets {
  readonly #config: Config;

  constructor(config: Config) {
    this.#config = config;
  }

  async current(asked?: string): Promise<string> {
    const { bootDir, home } = this.#config;
    if (asked === undefined) return (await installBootSet(bootDir, home)).id;
    if (isAbsolute(asked)) return (await installBootSet(asked, home)).id;
    if (!isBootSetId(asked)) {
      throw new A3sError('invalid-argument', `Cannot boot from ${asked}: it names no boot set`, {
        remedy: 'Give the id of a set, as a3s-box boot ls prints it, or the path of a directory.',
      });
    }
    const present = await this.available();
    if (present?.id === asked) return (await installBootSet(bootDir, home)).id;
    return (await pinnedBootSet(home, asked)).id;
  }

  open(id: string): Promise<BootSet> {
    return pinnedBootSet(this.#config.home, id);
  }

  /** The set that came with this installation; undefined where there is none yet. */
  async available(): Promise<BootSet | undefined> {
    return await readBootSet(this.#config.bootDir).catch(() => undefined);
  }

  /** Removes the sets that no box pins; the current one comes back when it is needed. */
  async sweep(pinned: ReadonlySet<string>): Promise<void> {
    const directory = join(this.#config.home, 'boot');
    const kept = new Set([...pinned, (await this.available())?.id]);
    const names = await readdir(directory).catch(() => []);
    for (const name of names) {
      if (!kept.has(name)) await rm(join(directory, name), { recursive: true, force: true });
    }
  }
}
