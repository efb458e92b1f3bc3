/**
 * Records by which image policy the cache of a builder was filled.
 *
 * A builder asks for no image that it has by its digest, so what another policy has let in would
 * stay. A cache is emptied before the first build by another policy.
 *
 * What the classic builder began with cannot be removed: Docker's engine holds the content for an
 * hour by a lease that its API neither shows nor ends. It is recorded that such a builder was used.
 *
 * @module
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { renameDurably } from '../durable.ts';
import { createDurably } from '../images/content/files.ts';
import { makeDirectories } from '../make-directories.ts';
import type { Builder } from './builder.ts';

const PRIVATE = 0o700;
const CLASSIC = 'classic';
const NAME = /^[a-zA-Z0-9][a-zA-Z0-9_.-]{0,62}$/;

/** What the cache of a builder holds. */
export interface CacheState {
  /** Digest of the policy that let in everything in it. */
  readonly policy: string;
  /** Whether it may hold what cannot be removed. */
  readonly isClassic: boolean;
}

export class CachePolicy {
  readonly #directory: string;
  readonly #path: string;
  /** A builder keeps its cache when it is started anew, and loses it when it is removed. */
  readonly #disk: string;

  constructor(directory: string, { name, cacheDisk }: Pick<Builder, 'name' | 'cacheDisk'>) {
    if (!NAME.test(name)) throw new TypeError(`${name} is not the name of a builder`);
    this.#directory = directory;
    this.#path = join(directory, `${name}.policy`);
    this.#disk = cacheDisk;
  }

  /** Undefined where nothing is known about the cache of this builder. */
  async read(): Promise<CacheState | undefined> {
    let text: string;
    try {
      text = await readFile(this.#path, 'utf8');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
      throw error;
    }
    const [policy = '', disk, classic] = text.split('\n');
    return disk === this.#disk ? { policy, isClassic: classic === CLASSIC } : undefined;
  }

  /** Called with an empty cache, or before the classic builder is used. */
  async record({ policy, isClassic }: CacheState): Promise<void> {
    await makeDirectories(this.#directory, PRIVATE);
    const unfinished = `${this.#path}.new`;
    await rm(unfinished, { force: true });
    const text = [policy, this.#disk, isClassic ? CLASSIC : ''].join('\n');
    await createDurably(unfinished, async (file) => file.writeFile(text));
    await renameDurably(unfinished, this.#path);
  }
}
