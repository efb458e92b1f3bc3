/**
 * The volumes of a home: a directory each, `volumes/NAME/_data`, as Docker has them, or a disk,
 * `volumes/NAME/_disk`.
 *
 * A record says what is true whenever the server ends, or the host: that a volume is being made is
 * on record before its directory is made, that it is there once the directory is on the disk, and
 * that it is being removed before the first file goes.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { KeyedLock } from '../async/keyed-lock.ts';
import { syncRemoval } from '../durable.ts';
import { A3sError, ERRORS } from '../errors.ts';
import { bind, boundDirectory } from './bound.ts';
import { directoryBytes, removeTree } from './directory.ts';
import { DiskHolders } from './disk-holders.ts';
import { beginFill, type Fill } from './fill.ts';
import { DATA, DISK, expectFree, isEmpty, makePlace, unmakePlace } from './place.ts';
import type { VolumeRecords } from './records.ts';
import { expectMade, expectSameId, expectSealed, makeEmptyDisk } from './sealed.ts';
import {
  ANONYMOUS_LABEL,
  checkVolumeName,
  DIRECTORY,
  type Volume,
  type VolumeKind,
} from './volume.ts';

export interface VolumesOptions {
  readonly home: string;
  readonly records: VolumeRecords;
  /** Whether a file server keeps the owners that boxes give to files: root's alone does. */
  readonly keepOwners: boolean;
  /** Ids of the boxes that mount the volume. Called again right before a removal is on record. */
  readonly usersOf: (name: string) => readonly string[];
  /** Ids of the boxes that an earlier server has started. */
  readonly running: Iterable<string>;
  /** Whether the box runs, starts or ends, or a microVM serves its files. */
  readonly mayHaveVm: (box: string) => boolean;
  readonly onEvent: (action: 'create' | 'destroy', volume: Volume) => void;
  /** Ends the removals of an earlier server's. */
  readonly shutdown: AbortSignal;
  /**
   * Makes a file that is an empty disk of that size. Everything of it is on the disk when a sync of
   * it returns.
   */
  readonly makeDisk: (path: string, bytes: number) => Promise<void>;
  /** RFC 3339. */
  readonly now: () => string;
}

export interface VolumeRequest {
  /** Undefined: a name is made up, and the volume is anonymous. */
  readonly name?: string | undefined;
  readonly labels?: Readonly<Record<string, string>>;
  /** Absent: where it has no name. */
  readonly anonymous?: boolean;
  /** Of a volume that is made. Absent: a directory. */
  readonly kind?: VolumeKind;
}

/** How a start of a box mounts a volume. */
export interface MountOptions {
  /** Id of the box. */
  readonly box: string;
  /**
   * No process of the box has ever run. What a box has emptied is not filled again at its next
   * start.
   */
  readonly isFirst: boolean;
  /** The box may write to the volume, and wants the image's files in it. */
  readonly isFillable: boolean;
  /** The box has its key sealed. Absent: it mounts no sealed volume. */
  readonly isSealed?: boolean;
}

/** A volume at the start of a box. */
export interface MountedVolume {
  /** The directory that the box mounts, or the file of the disk, without a link in it. */
  readonly path: string;
  /**
   * It is a disk, which no other box has. The guest itself finds out whether boxes have files on
   * it.
   */
  readonly isDisk?: true;
  /** The image's files are to be copied into that directory. Absent: it is mounted as it is. */
  readonly fill?: Fill;
}

export class Volumes {
  readonly #root: string;
  readonly #options: VolumesOptions;
  readonly #locks = new KeyedLock();
  /**
   * Ids of running boxes that have their volumes; those that an earlier server has started
   * included.
   */
  readonly #mounting: Set<string>;
  readonly #disks: DiskHolders;

  constructor(options: VolumesOptions) {
    this.#options = options;
    this.#root = join(options.home, 'volumes');
    this.#mounting = new Set(options.running);
    this.#disks = new DiskHolders(options);
  }

  /** Whether boxes may give files of a volume to any of their users. */
  get keepOwners(): boolean {
    return this.#options.keepOwners;
  }

  /** By name. */
  list(): Volume[] {
    return this.#options.records.list().filter(({ state }) => state === 'present');
  }

  /** @throws A3sError `no-such-volume` */
  expect(name: string): Volume {
    const volume = this.#get(name);
    if (volume !== undefined) return volume;
    throw new A3sError('no-such-volume', `get ${name.slice(0, 255)}: no such volume`);
  }

  /** The directory that boxes mount, or the file of the disk. */
  mountpoint(name: string): string {
    const { bound, diskBytes } = this.#options.records.get(name) ?? {};
    return bound?.realPath ?? join(this.#root, name, diskBytes === undefined ? DATA : DISK);
  }

  /** The kind of another volume that is to be like this one; a directory where it is gone. */
  kindLike(name: string): VolumeKind {
    const { options = {}, diskBytes, sealed } = this.#get(name) ?? {};
    if (diskBytes === undefined) return DIRECTORY;
    return { options, diskBytes, ...(sealed === undefined ? {} : { sealed: true }) };
  }

  /** Id of a sealed volume, as the last guest reported; undefined where none has made it. */
  sealedId(name: string): string | undefined {
    return this.#get(name)?.sealed?.id;
  }

  /** Records the id that a guest reports. @throws A3sError `volume-refused` for a second one */
  recordSealed(name: string, id: string): void {
    const volume = this.#get(name);
    if (volume?.sealed === undefined) return;
    expectSameId(name, volume.sealed.id ?? id, id);
    if (volume.sealed.id === undefined) this.#options.records.put({ ...volume, sealed: { id } });
  }

  /** @throws A3sError `invalid-argument` where it is sealed and should not be, or the reverse */
  expectSealed(name: string, sealed: boolean): void {
    const volume = this.#get(name);
    if (volume !== undefined) expectSealed(volume, sealed);
  }

  /** Id of the box that has the disk; undefined where none has. */
  holderOf(name: string): string | undefined {
    return this.#disks.holderOf(name);
  }

  /** Ids of the boxes that mount it, whether or not they run. */
  usersOf(name: string): readonly string[] {
    return this.#options.usersOf(name);
  }

  /**
   * Bytes that its files take on the disk, or that its own disk has allocated there. Files of the
   * host's own are none.
   */
  async bytes(name: string): Promise<number> {
    if (this.#options.records.get(name)?.bound !== undefined) return 0;
    return await directoryBytes(this.mountpoint(name));
  }

  /**
   * Makes a volume, or returns the one that has the name.
   *
   * @throws A3sError `invalid-argument` for a name that no volume can have; `conflict` where files
   * lie in its place
   */
  async create(request: VolumeRequest = {}): Promise<Volume> {
    const { name, labels = {}, anonymous = name === undefined, kind = DIRECTORY } = request;
    const chosen = name === undefined ? randomBytes(32).toString('hex') : checkVolumeName(name);
    const existing = this.#get(chosen);
    if (existing !== undefined) return existing;
    return await this.#locks.run(chosen, async () => {
      const found = this.#get(chosen);
      if (found !== undefined) return found;
      await this.#finish(chosen);
      const bound = kind.device === undefined ? undefined : await bind(kind.device);
      const volume = await this.#make({
        name: chosen,
        createdAt: this.#options.now(),
        labels: { ...labels, ...(anonymous ? { [ANONYMOUS_LABEL]: '' } : {}) },
        anonymous,
        state: 'making',
        options: { ...kind.options },
        ...(kind.diskBytes === undefined ? {} : { diskBytes: kind.diskBytes }),
        ...(bound === undefined ? {} : { bound }),
        ...(kind.sealed === undefined ? {} : { sealed: {} }),
      });
      this.#options.onEvent('create', volume);
      return volume;
    });
  }

  /** Makes its place. Where that fails, or the server ends meanwhile, nothing of it stays. */
  async #make(volume: Volume): Promise<Volume> {
    const { name, diskBytes, sealed } = volume;
    const makeDisk = sealed === undefined ? this.#options.makeDisk : makeEmptyDisk;
    const directory = join(this.#root, name);
    await expectFree(name, directory);
    this.#options.records.put(volume);
    try {
      await makePlace(directory, diskBytes, makeDisk);
    } catch (error) {
      await this.#unmake(name);
      throw error;
    }
    return this.#options.records.put({ ...volume, state: 'present' });
  }

  /**
   * @param removed id of a box that is being removed, and does not count as a user
   * @throws A3sError `no-such-volume`, `volume-in-use`
   */
  async remove(name: string, removed?: string): Promise<void> {
    // Found out at once where a start holds the volume for long.
    this.#expectUnused(name, removed);
    await this.#locks.run(name, async () => {
      const volume = this.#expectUnused(name, removed);
      this.#options.records.put({ ...volume, state: 'removing' });
      await this.#finishRemoval(name);
      this.#options.onEvent('destroy', volume);
    });
  }

  /**
   * Removes a volume, unless a box mounts it or somebody has removed it.
   *
   * @returns whether it was removed
   */
  async removeUnused(name: string, removed?: string): Promise<boolean> {
    try {
      await this.remove(name, removed);
      return true;
    } catch (error) {
      if (error instanceof A3sError && ERRORS[error.code].taken === true) return false;
      throw error;
    }
  }

  #expectUnused(name: string, removed: string | undefined): Volume {
    const volume = this.expect(name);
    const users = this.usersOf(name).filter((id) => id !== removed);
    if (users.length === 0) return volume;
    throw new A3sError(
      'volume-in-use',
      `remove ${name}: volume is in use - [${users.join(', ')}]`,
      { remedy: 'Remove the boxes that mount it first.' },
    );
  }

  /**
   * Finishes the removals that an earlier server was in the middle of, and removes the volumes that
   * it was making.
   *
   * @param onError one fails, the others go on
   */
  async sweep(onError: (error: unknown, volume: string) => void): Promise<void> {
    const { shutdown } = this.#options;
    for (const { name, state } of this.#options.records.list()) {
      if (shutdown.aborted) return;
      if (state === 'present') continue;
      try {
        // Somebody may have made another one meanwhile.
        await this.#locks.run(name, () => this.#finish(name, shutdown));
      } catch (error) {
        if (!shutdown.aborted) onError(error, name);
      }
    }
  }

  /**
   * Decides whether a volume is filled from the image at this start of a box: where it is empty,
   * and no other running box mounts it. Waits while another start fills it.
   *
   * A guest fills a directory of its own, never the one that boxes mount, so that a fill that is
   * cut off leaves the volume as it was, and no file of a box is ever in the way.
   *
   * A disk has one box at a time, which mounts the only file system on it.
   *
   * @throws A3sError `no-such-volume`; `volume-in-use` for a disk that another box has;
   * `invalid-argument` for a sealed volume, or one that is none, where the other was expected;
   * `volume-empty`
   */
  async mount(name: string, options: MountOptions): Promise<MountedVolume> {
    this.#mounting.delete(options.box);
    const release = await this.#locks.acquire(name);
    try {
      const mounted = await this.#mountLocked(name, options, release);
      if (mounted.fill === undefined) release();
      return mounted;
    } catch (error) {
      release();
      throw error;
    }
  }

  async #mountLocked(
    name: string,
    { box, isFirst, isFillable, isSealed = false }: MountOptions,
    release: () => void,
  ): Promise<MountedVolume> {
    const { diskBytes, bound, sealed } = this.expect(name);
    this.expectSealed(name, isSealed);
    if (diskBytes !== undefined) {
      this.#disks.take(name, box);
      const path = join(await realpath(this.#root), name, DISK);
      if (sealed?.id !== undefined) await expectMade(name, path);
      return { path, isDisk: true };
    }
    // Nothing but boxes and the host's users writes there: it is not filled.
    if (bound !== undefined) return { path: await boundDirectory(bound) };
    // Paths of the home may lead through links of its user's. Below it there are none.
    const data = join(await realpath(this.#root), name, DATA);
    for (const id of this.#mounting) if (!this.#options.mayHaveVm(id)) this.#mounting.delete(id);
    const isMounted = this.usersOf(name).some((id) => id !== box && this.#mounting.has(id));
    if (!isFirst || !isFillable || isMounted || !(await isEmpty(data))) {
      this.#mounting.add(box);
      return { path: data };
    }
    return await beginFill(name, data, { onDone: () => this.#mounting.add(box), release });
  }

  #get(name: string): Volume | undefined {
    const volume = this.#options.records.get(name);
    return volume?.state === 'present' ? volume : undefined;
  }

  /** Ends what an earlier server was in the middle of. The caller has the volume's lock. */
  async #finish(name: string, signal?: AbortSignal): Promise<void> {
    const state = this.#options.records.get(name)?.state;
    if (state === 'making') await this.#unmake(name);
    if (state === 'removing') await this.#finishRemoval(name, signal);
  }

  async #unmake(name: string): Promise<void> {
    await unmakePlace(join(this.#root, name));
    this.#options.records.remove(name);
  }

  async #finishRemoval(name: string, signal?: AbortSignal): Promise<void> {
    const directory = join(this.#root, name);
    await removeTree(directory, signal);
    // Files that a power cut brought back without a record would be in the way of the next volume.
    await syncRemoval(directory);
    this.#options.records.remove(name);
  }
}
