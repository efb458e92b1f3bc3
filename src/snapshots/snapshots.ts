/**
 * Memory snapshots: their records, their memory, and copies of the disks.
 *
 * @module
 */
import { constants } from 'node:fs';
import { access, mkdir, open, readdir, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { type OpenSavedVm, SAVED_FILES } from '../engine/engine.ts';
import { A3sError } from '../errors.ts';
import {
  checkRoom,
  ensureMemoryDirectory,
  isUsable,
  type MemoryOwner,
  recordedDirectory,
} from './memory-directory.ts';
import type { SnapshotRecords } from './records.ts';
import type { Snapshot, SnapshotRecord } from './snapshot.ts';

const MOST_SNAPSHOTS = 32;

/** The paths of one snapshot's files. */
export interface SnapshotDirectories {
  /** RAM and devices. */
  readonly memory: string;
  /** The writable layer. */
  readonly disk: string;
}

/** A snapshot in use by a start. */
export interface OpenSnapshot extends AsyncDisposable {
  readonly snapshot: Snapshot;
  readonly fork: OpenSavedVm;
  readonly disk: string;
}

export class Snapshots {
  readonly #home: string;
  readonly #owner: MemoryOwner;
  #memory: string | undefined;
  #ensuring: Promise<string> | undefined;
  readonly #records: SnapshotRecords;

  constructor(options: MemoryOwner & { readonly records: SnapshotRecords }) {
    this.#home = join(options.home, 'snapshots');
    this.#owner = options;
    this.#records = options.records;
  }

  /** Oldest first, with those that are being made. */
  list(): SnapshotRecord[] {
    return this.#records.list();
  }

  /** @throws A3sError `no-such-snapshot` */
  resolve(reference: string): SnapshotRecord {
    return this.#records.resolve(reference);
  }

  /** @throws A3sError `state-unusable` */
  directories(id: string): SnapshotDirectories {
    return { memory: join(this.#memoryPath(), id), disk: join(this.#home, id) };
  }

  /**
   * Whether boxes can start from it: a restart of the host deletes its memory.
   *
   * @throws A3sError `state-unusable`
   */
  async usable({ id, saved }: SnapshotRecord): Promise<boolean> {
    if (saved === undefined || !(await this.#hasMemory())) return false;
    const { memory, disk } = this.directories(id);
    const paths = [...Object.values(SAVED_FILES).map((name) => join(memory, name)), disk];
    const found = await Promise.allSettled(paths.map((path) => access(path)));
    return found.every(({ status }) => status === 'fulfilled');
  }

  /**
   * Records a snapshot before it is made, and makes its directories.
   *
   * @param bytes the most memory that it may take
   * @throws A3sError `name-in-use`, `out-of-memory`, `conflict`, `state-unusable`; nothing is left
   * then
   */
  async begin(record: SnapshotRecord, bytes: number): Promise<SnapshotDirectories> {
    if (this.#records.list().length >= MOST_SNAPSHOTS) {
      throw new A3sError(
        'conflict',
        `Cannot make a snapshot: there are ${MOST_SNAPSHOTS}, which are the most`,
        {
          remedy: 'Remove some with a3s-box snapshot rm.',
        },
      );
    }
    await checkRoom(await this.#ensureMemory(), bytes);
    this.#records.insert(record);
    const directories = this.directories(record.id);
    try {
      await mkdir(directories.memory, { mode: 0o700 });
      await mkdir(directories.disk, { recursive: true, mode: 0o700 });
      return directories;
    } catch (error) {
      await this.discard(record.id);
      throw error;
    }
  }

  /** Marks it as complete: from now on boxes can start from it. */
  async finish(record: SnapshotRecord, saved: Omit<Snapshot['saved'], 'bytes'>): Promise<Snapshot> {
    const { memory } = this.directories(record.id);
    let bytes = 0;
    for (const name of Object.values(SAVED_FILES)) {
      bytes += (await stat(join(memory, name))).blocks * 512;
    }
    const made = { ...record, saved: { ...saved, bytes } };
    this.#records.update(made);
    return made;
  }

  /**
   * Removes it. Boxes that were started from it do not need it any more.
   *
   * @throws A3sError `state-unusable`; nothing is removed then
   */
  async discard(id: string): Promise<void> {
    const { memory, disk } = this.directories(id);
    if (await this.#hasMemory()) {
      await rm(memory, { recursive: true, force: true });
      await rmdir(this.#memoryPath()).catch(() => undefined);
    }
    await rm(disk, { recursive: true, force: true });
    // Removed last: until then, a restarted server finds the record.
    this.#records.remove(id);
  }

  /**
   * @throws A3sError `no-such-snapshot`, `state-unusable`, `conflict` where its memory is gone or
   * not there yet
   */
  async open(reference: string): Promise<OpenSnapshot> {
    const record = this.resolve(reference);
    const { id, name, saved } = record;
    if (saved === undefined) {
      throw new A3sError('conflict', `The snapshot ${name} is not made yet`);
    }
    if (!(await this.usable(record))) throw gone(name);
    const { memory, disk } = this.directories(id);
    const paths = [join(memory, SAVED_FILES.ram), join(memory, SAVED_FILES.state)] as const;
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
    const ram = await open(paths[0], flags);
    const state = await open(paths[1], flags).catch(async (error: unknown) => {
      await ram.close();
      throw error;
    });
    return {
      snapshot: { ...record, saved },
      fork: { ...saved.machine, ram: ram.fd, state: state.fd },
      disk,
      [Symbol.asyncDispose]: async () => {
        await ram.close();
        await state.close();
      },
    };
  }

  /** The boxes whose snapshots were incomplete when a server ended. */
  unfinishedBoxes(): string[] {
    return this.#unfinished().map(({ box }) => box.id);
  }

  /**
   * Removes unrecorded files, and snapshots that were incomplete when a server ended.
   *
   * @throws A3sError `state-unusable`; nothing is removed then
   */
  async sweep(): Promise<void> {
    const memory = this.#memoryPath();
    for (const { id } of this.#unfinished()) await this.discard(id);
    const known = new Set(this.#records.list().map(({ id }) => id));
    const directories = (await this.#hasMemory()) ? [memory, this.#home] : [this.#home];
    for (const directory of directories) {
      const names = await readdir(directory).catch(() => []);
      for (const name of names) {
        if (!known.has(name)) await rm(join(directory, name), { recursive: true, force: true });
      }
    }
  }

  #unfinished(): SnapshotRecord[] {
    return this.#records.list().filter(({ saved }) => saved === undefined);
  }

  /**
   * One directory serves all snapshots that are being made: a second one would replace the first in
   * the record.
   */
  async #ensureMemory(): Promise<string> {
    this.#ensuring ??= ensureMemoryDirectory(this.#owner).finally(() => {
      this.#ensuring = undefined;
    });
    this.#memory = await this.#ensuring;
    return this.#memory;
  }

  /** Read when first needed: a server with a damaged record still serves all other requests. */
  #memoryPath(): string {
    this.#memory ??= recordedDirectory(this.#owner);
    return this.#memory;
  }

  /**
   * Whether the memory directory exists and belongs to this user: another user's directory holds no
   * files of ours.
   */
  async #hasMemory(): Promise<boolean> {
    return await isUsable(this.#memoryPath(), this.#owner.uid);
  }
}

function gone(name: string): A3sError {
  return new A3sError('conflict', `The memory of the snapshot ${name} is gone`, {
    remedy: `The host was rebooted since, and its memory is gone: remove it with a3s-box snapshot rm ${name}.`,
  });
}
