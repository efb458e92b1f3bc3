/**
 * Memory snapshots of builders: each is of a daemon that runs and has built nothing, and of the
 * cache disk at that moment. One start goes on from it.
 *
 * Memory and disk belong together: the memory has the disk mounted. So what is saved is used where
 * the disk is as it was left, and its record is gone before the microVM runs again.
 *
 * It is on the disk: there are no secrets in it, and a builder that nobody uses takes no memory.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { type BigIntStats, constants } from 'node:fs';
import { mkdir, open, readdir, readFile, rm, stat, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import * as z from 'zod';
import type { SavedState } from '../boxes/verbs/save-and-remove.ts';
import { renameDurably, syncDirectory } from '../durable.ts';
import { SAVED_FILES } from '../engine/vm/saved-vm.ts';
import { A3sError } from '../errors.ts';
import { SavedMachine } from '../snapshots/snapshot.ts';
import type { SavedBox, SnapshotDirectories } from '../snapshots/snapshots.ts';

const SavedBuilder = z.strictObject({
  id: z.string().regex(/^[0-9a-f]{64}$/),
  /** Digest of everything that the memory depends on. */
  key: z.string(),
  /** The guest trusts this one. */
  authority: z.strictObject({ certificate: z.string(), privateKey: z.string() }),
  machine: SavedMachine,
  written: z.int().min(0),
  /** The cache disk, as it was left. */
  cache: z.string(),
});
export type SavedBuilder = z.infer<typeof SavedBuilder>;

const RECORD = 'builder.json';

export class SavedBuilders {
  readonly #directory: string;

  /** @param home A3S_HOME */
  constructor(home: string) {
    this.#directory = join(home, 'builders', 'saved');
  }

  /** The names of builders of which there is something. */
  async names(): Promise<readonly string[]> {
    return await readdir(this.#directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return [];
      throw error;
    });
  }

  /**
   * Removes what a server left that ended while it saved a builder, or started one.
   *
   * @returns the names of those builders
   */
  async sweep(): Promise<ReadonlySet<string>> {
    const interrupted = new Set<string>();
    for (const name of await this.names()) {
      if ((await this.#read(name)) !== undefined) continue;
      interrupted.add(name);
      await this.discard(name);
    }
    return interrupted;
  }

  /** Whether the file system has room for this much memory, and as much again. */
  async hasRoom(bytes: number): Promise<boolean> {
    await mkdir(this.#directory, { recursive: true, mode: 0o700 });
    const { bavail, bsize } = await statfs(this.#directory);
    return bavail * bsize >= 2 * bytes;
  }

  /** Makes the directories of a builder that is being saved, in place of an earlier one. */
  async begin(name: string): Promise<SnapshotDirectories> {
    await this.discard(name);
    const directories = this.#directories(name);
    for (const path of Object.values(directories)) {
      await mkdir(path, { recursive: true, mode: 0o700 });
    }
    return directories;
  }

  /**
   * Records it once its files and the cache disk are on the disk: after a power cut, one is not
   * older than the other.
   *
   * @param cachePath of a disk that nothing writes to any more
   */
  async finish(
    name: string,
    saved: SavedState & Pick<SavedBuilder, 'key' | 'authority'>,
    cachePath: string,
  ): Promise<void> {
    const directory = join(this.#directory, name);
    for (const path of Object.values(this.#directories(name))) {
      for (const file of await readdir(path)) await syncFile(join(path, file));
      await syncDirectory(path);
    }
    await syncFile(cachePath);
    for (const path of [directory, this.#directory]) await syncDirectory(path);
    const record: SavedBuilder = {
      id: randomBytes(32).toString('hex'),
      ...saved,
      cache: await stateOf(cachePath),
    };
    const path = join(directory, RECORD);
    await writeFile(`${path}.new`, JSON.stringify(record), { mode: 0o600, flush: true });
    await renameDurably(`${path}.new`, path);
  }

  /** The one that was saved; what cannot be used any more is removed. */
  async find(
    name: string,
    key: () => Promise<string | undefined>,
    cachePath: string,
  ): Promise<SavedBuilder | undefined> {
    const record = await this.#read(name);
    if (record === undefined) return undefined;
    if (record.key === (await key()) && (await isAsLeft(record, cachePath))) return record;
    await this.discard(name);
    return undefined;
  }

  /**
   * Takes it for one start. Nothing of it is left for another one, whatever becomes of this start.
   *
   * @param cachePath of a disk that no other box has
   * @throws A3sError `conflict` where the disk was changed meanwhile
   */
  async open(name: string, record: SavedBuilder, cachePath: string): Promise<SavedBox> {
    const { memory, disk } = this.#directories(name);
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
    const ram = await open(join(memory, SAVED_FILES.ram), flags);
    const close = async (): Promise<void> => {
      await ram.close();
      await this.discard(name);
    };
    try {
      const state = await open(join(memory, SAVED_FILES.state), flags);
      try {
        // Before the comparison: from then on, the disk is not as it was left.
        await this.#forget(name);
        if (!(await isAsLeft(record, cachePath))) throw changed(name);
      } catch (error) {
        await state.close();
        throw error;
      }
      const { id, machine, written } = record;
      return {
        snapshot: { id, saved: { written } },
        fork: { ...machine, ram: ram.fd, state: state.fd },
        disk,
        [Symbol.asyncDispose]: async () => {
          await state.close();
          await close();
        },
      };
    } catch (error) {
      await close();
      throw error;
    }
  }

  async discard(name: string): Promise<void> {
    // First: what is left of the files has no record.
    await this.#forget(name);
    await rm(join(this.#directory, name), { recursive: true, force: true });
  }

  async #forget(name: string): Promise<void> {
    const directory = join(this.#directory, name);
    await rm(join(directory, RECORD), { force: true });
    await syncDirectory(directory).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
    });
  }

  /** Undefined also where a record cannot be read: the builder boots. */
  async #read(name: string): Promise<SavedBuilder | undefined> {
    try {
      const text = await readFile(join(this.#directory, name, RECORD), 'utf8');
      return SavedBuilder.parse(JSON.parse(text));
    } catch {
      return undefined;
    }
  }

  #directories(name: string): SnapshotDirectories {
    const directory = join(this.#directory, name);
    return { memory: join(directory, 'memory'), disk: join(directory, 'disk') };
  }
}

/** Another text where anything wrote to the file, or replaced it. */
async function stateOf(path: string): Promise<string> {
  const { dev, ino, size, mtimeNs, ctimeNs }: BigIntStats = await stat(path, { bigint: true });
  return [dev, ino, size, mtimeNs, ctimeNs].join(' ');
}

async function isAsLeft({ cache }: SavedBuilder, cachePath: string): Promise<boolean> {
  try {
    return (await stateOf(cachePath)) === cache;
  } catch {
    return false;
  }
}

async function syncFile(path: string): Promise<void> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

function changed(name: string): A3sError {
  return new A3sError(
    'conflict',
    `Cannot start the builder ${name} from its memory snapshot: its cache was changed since`,
  );
}
