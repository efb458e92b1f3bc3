/**
 * The boot sets of a home: each box pins the one that was current when it was created.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { readdir, rm, stat } from 'node:fs/promises';
import { uptime } from 'node:os';
import { basename, isAbsolute, join } from 'node:path';
import {
  type BootSet,
  INSTALLING,
  installBootSet,
  pinnedBootSet,
  readBootSet,
  SERVER_INSTALLING,
} from '../../boot/bootset.ts';
import { type BootPlaces, findBootSet, isKept } from '../../boot/sets.ts';
import type { BootSets } from '../../boxes/services/services.ts';
import type { GuestArchitecture } from '../../engine/vm/guest-boot.ts';
import { A3sError } from '../../errors.ts';

/** Far longer than a copy of a set takes. */
const ARRIVAL_MS = 3_600_000;

export class PinnedBootSets implements BootSets {
  readonly #config: BootPlaces;
  /**
   * Copies with `SERVER_INSTALLING` and another suffix are an earlier server's, and are removed.
   */
  readonly #installing = `${SERVER_INSTALLING}${randomBytes(6).toString('hex')}-`;

  constructor(config: BootPlaces) {
    this.#config = config;
  }

  async current(asked?: string, architecture?: GuestArchitecture): Promise<string> {
    const { bootDir } = this.#config;
    if (architecture === 'arm64') return (await this.#install(await this.#arm64Directory())).id;
    if (asked === undefined) return (await this.#install(bootDir)).id;
    if (isAbsolute(asked)) return (await this.#install(asked)).id;
    const { set, current } = await findBootSet(this.#config, asked);
    return current ? (await this.#install(bootDir)).id : set.id;
  }

  /**
   * The set lies beside the one of this installation.
   *
   * @throws A3sError `boot-set-missing` with how to make it
   */
  async #arm64Directory(): Promise<string> {
    const directory = `${this.#config.bootDir}-arm64`;
    let cause: unknown;
    try {
      const { architecture } = await readBootSet(directory);
      if (architecture === 'arm64') return directory;
      cause = new Error(`it is of ${architecture}`);
    } catch (error) {
      cause = error;
    }
    const reason = cause instanceof Error ? cause.message : String(cause);
    throw new A3sError(
      'boot-set-missing',
      `Cannot create a box of linux/arm64: ${directory} has no usable boot set: ${reason}`,
      { remedy: 'Make it, in the checkout: bash scripts/setup.sh --arm64', cause },
    );
  }

  #install(from: string): Promise<BootSet> {
    return installBootSet(from, this.#config.home, this.#installing);
  }

  open(id: string): Promise<BootSet> {
    return pinnedBootSet(this.#config.home, id);
  }

  /** The set that came with this installation; undefined where there is none yet. */
  async available(): Promise<BootSet | undefined> {
    return await readBootSet(this.#config.bootDir).catch(() => undefined);
  }

  /**
   * Removes the sets that no box pins and that were not imported. The current one is copied again
   * when it is needed.
   */
  async sweep(pinned: ReadonlySet<string>): Promise<void> {
    const { home } = this.#config;
    const directory = join(home, 'boot');
    const kept = new Set([...pinned, (await this.available())?.id]);
    const names = await readdir(directory).catch(() => []);
    for (const name of names) {
      const path = join(directory, name);
      if (kept.has(name) || (await isKept(home, name)) || (await this.#isArriving(path))) continue;
      await rm(path, { recursive: true, force: true });
    }
  }

  /** A set that any process is copying or importing is not removed. */
  async #isArriving(path: string): Promise<boolean> {
    const name = basename(path);
    if (name.startsWith(SERVER_INSTALLING)) return name.startsWith(this.#installing);
    if (!name.startsWith(INSTALLING)) return false;
    const found = await stat(path).catch(() => undefined);
    if (found === undefined) return false;
    const ageMs = Date.now() - found.mtimeMs;
    // No process survives a reboot of its host.
    return ageMs < ARRIVAL_MS && ageMs < uptime() * 1000;
  }
}
