/**
 * The volumes of a home: one directory each, `volumes/NAME/_data`, as Docker has them.
 *
 * A record says what is true whenever the server ends: a directory is on the disk before its record is, and a removal is
 * on record before the first file goes.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { KeyedLock } from '../async/keyed-lock.ts';
import { syncDirectory } from '../durable.ts';
import { A3sError } from '../errors.ts';
import { directoryBytes, syncFileSystem } from './directory.ts';
import type { VolumeRecords } from './records.ts';
import { ANONYMOUS_LABEL, checkVolumeName, type Volume } from './volume.ts';

const DATA = '_data';

export interface VolumesOptions {
  readonly home: string;
  readonly records: VolumeRecords;
  /** Ids of the boxes that mount the volume. Called again right before a removal is on record. */
  readonly usersOf: (name: string) => readonly string[];
  readonly onEvent: (action: 'create' | 'destroy', volume: Volume) => void;
  /** RFC 3339. */
  readonly now: () => string;
}

export interface VolumeRequest {
  /** Undefined: a name is made up, and the volume is anonymous. */
  readonly name?: string | undefined;
  readonly labels?: Readonly<Record<string, string>>;
  /** Absent: where it has no name. */
  readonly anonymous?: boolean;
}

/** How a start of a box mounts a volume. */
export interface FillOptions {
  /** No process of the box has ever run. What a box has emptied is not filled again at its next start. */
  readonly isFirst: boolean;
  /** The box may write to the volume, and wants the image's files in it. */
  readonly isWanted: boolean;
}

/** A volume that only this start may mount, until it is released. */
export interface Fill {
  /** The agent has copied the image's files: the volume outlasts a power cut as it is, and may be used. */
  done(): Promise<void>;
  /** Lets other starts have the volume. One that was not done is filled anew. */
  release(): void;
}

export class Volumes {
  readonly #root: string;
  readonly #options: VolumesOptions;
  readonly #locks = new KeyedLock();

  constructor(options: VolumesOptions) {
    this.#options = options;
    this.#root = join(options.home, 'volumes');
  }

  /** By name. */
  list(): Volume[] {
    return this.#options.records.list().filter(({ state }) => state !== 'removing');
  }

  /** @throws A3sError `no-such-volume` */
  expect(name: string): Volume {
    const volume = this.#get(name);
    if (volume !== undefined) return volume;
    throw new A3sError('no-such-volume', `get ${name.slice(0, 255)}: no such volume`);
  }

  /** The directory that boxes mount. */
  mountpoint(name: string): string {
    return join(this.#root, name, DATA);
  }

  /** Ids of the boxes that mount it, whether or not they run. */
  usersOf(name: string): readonly string[] {
    return this.#options.usersOf(name);
  }

  /** Bytes that its files take on the disk. */
  async bytes(name: string): Promise<number> {
    return await directoryBytes(this.mountpoint(name));
  }

  /**
   * Makes a volume, or returns the one that has the name.
   *
   * @throws A3sError `invalid-argument` for a name that no volume can have; `conflict` where files lie in its place
   */
  async create(request: VolumeRequest = {}): Promise<Volume> {
    const { name, labels = {}, anonymous = name === undefined } = request;
    const chosen = name === undefined ? randomBytes(32).toString('hex') : checkVolumeName(name);
    return await this.#locks.run(chosen, async () => {
      const found = this.#get(chosen);
      if (found !== undefined) return found;
      if (this.#options.records.get(chosen) !== undefined) await this.#finishRemoval(chosen);
      await this.#makeDirectory(chosen);
      const volume = this.#options.records.put({
        name: chosen,
        createdAt: this.#options.now(),
        labels: { ...labels, ...(anonymous ? { [ANONYMOUS_LABEL]: '' } : {}) },
        anonymous,
        state: 'new',
      });
      this.#options.onEvent('create', volume);
      return volume;
    });
  }

  /**
   * @param removed id of a box that is being removed, and does not count as a user
   * @throws A3sError `no-such-volume`, `volume-in-use`
   */
  async remove(name: string, removed?: string): Promise<void> {
    await this.#locks.run(name, async () => {
      const volume = this.expect(name);
      const users = this.usersOf(name).filter((id) => id !== removed);
      if (users.length > 0) {
        throw new A3sError(
          'volume-in-use',
          `remove ${name}: volume is in use - [${users.join(', ')}]`,
          { remedy: 'Remove the boxes that mount it first.' },
        );
      }
      this.#options.records.put({ ...volume, state: 'removing' });
      await this.#finishRemoval(name);
      this.#options.onEvent('destroy', volume);
    });
  }

  /** Finishes what an earlier server was in the middle of. */
  async sweep(): Promise<void> {
    for (const { name, state } of this.#options.records.list()) {
      if (state === 'removing') await this.#locks.run(name, () => this.#finishRemoval(name));
    }
  }

  /**
   * Decides whether the image's files are to be copied into the volume at this start of a box, and waits while another
   * start copies its own. From here to `release` no other start gets the volume. What a fill that was cut off has left
   * is removed by the agent of the next fill, or here where this start has none: no box sees it.
   *
   * @returns undefined where nothing is to be copied
   */
  async fill(name: string, { isFirst, isWanted }: FillOptions): Promise<Fill | undefined> {
    const release = await this.#locks.acquire(name);
    try {
      const volume = this.expect(name);
      const wasCutOff = volume.state === 'filling';
      const fills = isWanted && (wasCutOff || (isFirst && (await this.#isEmpty(name))));
      if (wasCutOff && !fills) await this.#empty(name);
      const state = fills ? 'filling' : 'used';
      if (volume.state !== state) this.#options.records.put({ ...volume, state });
      if (fills) return { done: () => this.#filled(name), release };
    } catch (error) {
      release();
      throw error;
    }
    release();
    return undefined;
  }

  async #filled(name: string): Promise<void> {
    await syncFileSystem(this.mountpoint(name));
    this.#options.records.put({ ...this.expect(name), state: 'used' });
  }

  #get(name: string): Volume | undefined {
    const volume = this.#options.records.get(name);
    return volume?.state === 'removing' ? undefined : volume;
  }

  async #isEmpty(name: string): Promise<boolean> {
    return (await readdir(this.mountpoint(name))).length === 0;
  }

  async #empty(name: string): Promise<void> {
    const path = this.mountpoint(name);
    for (const entry of await readdir(path)) {
      await rm(join(path, entry), { recursive: true, force: true });
    }
  }

  /** Files that have no record are somebody's: they are neither shown to a box nor removed. */
  async #makeDirectory(name: string): Promise<void> {
    const directory = join(this.#root, name);
    const path = this.mountpoint(name);
    // Other users of the host do not come here: the home itself keeps them out.
    await mkdir(directory, { recursive: true, mode: 0o711 });
    await mkdir(path, { mode: 0o755 }).catch(async (error: unknown) => {
      const exists = error instanceof Error && 'code' in error && error.code === 'EEXIST';
      if (!exists) throw error;
      if (await this.#isEmpty(name)) return;
      throw new A3sError('conflict', `Cannot create the volume ${name}: ${path} has files`, {
        remedy: 'Move them away first.',
      });
    });
    for (const each of [directory, this.#root, join(this.#root, '..')]) await syncDirectory(each);
  }

  async #finishRemoval(name: string): Promise<void> {
    await rm(join(this.#root, name), { recursive: true, force: true });
    this.#options.records.remove(name);
  }
}
