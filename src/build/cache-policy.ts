/**
 * Records by which image policy the cache of a builder was filled.
 *
 * A builder asks for no image that it has by its digest, so what another policy has let in would
 * stay. A cache is emptied before the first build by another policy.
 *
 * @module
 */
import { readFile, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { renameDurably } from '../durable.ts';
import { createDurably } from '../images/content/files.ts';
import { makeDirectories } from '../make-directories.ts';

const PRIVATE = 0o700;
const NAME = /^[a-z0-9][a-z0-9_.-]{0,62}$/;

export class CachePolicy {
  readonly #directory: string;
  readonly #path: string;

  constructor(directory: string, builder: string) {
    if (!NAME.test(builder)) throw new TypeError(`${builder} is not the name of a builder`);
    this.#directory = directory;
    this.#path = join(directory, `${builder}.policy`);
  }

  /** Whether everything in the cache was let in by this policy. */
  async is(digest: string): Promise<boolean> {
    try {
      return (await readFile(this.#path, 'utf8')) === digest;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw error;
    }
  }

  /** Called with an empty cache. */
  async record(digest: string): Promise<void> {
    await makeDirectories(this.#directory, PRIVATE);
    const unfinished = `${this.#path}.new`;
    await rm(unfinished, { force: true });
    await createDurably(unfinished, async (file) => file.writeFile(digest));
    await renameDurably(unfinished, this.#path);
  }
}
