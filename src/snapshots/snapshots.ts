/**
 * Snapshots: their records, the memory of some, and the disks.
 *
 * @module
 */
import { constants } from 'node:fs';
import { access, mkdir, open, readdir, rm, rmdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { isDiskFull } from '../disk-full.ts';
import { removeDurably, syncDirectory } from '../durable.ts';
import { type OpenSavedVm, SAVED_FILES } from '../engine/vm/saved-vm.ts';
import { A3sError } from '../errors.ts';
import {
  checkRoom,
  ensureMemoryDirectory,
  isUsable,
  type MemoryOwner,
  recordedDirectory,
} from './memory-directory.ts';
import type { SnapshotRecords } from './records.ts';
import type { MemorySnapshot, Snapshot, SnapshotRecord } from './snapshot.ts';

/** The most that there can be of each kind. */
const MOST = { memory: 32, disk: 256 } as const;

/** The paths of one snapshot's files. */
export interface SnapshotDirectories {
  /** RAM and devices. */
  readonly memory: string;
  /** The writable layer. */
  readonly disk: string;
}

/** The memory and the disk of a box at one moment, in use by a start that goes on from there. */
export interface SavedBox extends AsyncDisposable {
  readonly snapshot: Pick<MemorySnapshot, 'id'> & {
    readonly saved: Pick<MemorySnapshot['saved'], 'written'>;
  };
  readonly fork: OpenSavedVm;
  /** The directory of its writable layer. */
  readonly disk: string;
}

/** A memory snapshot in use by a start. */
export interface OpenSnapshot extends SavedBox {
  readonly snapshot: MemorySnapshot;
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
    return { memory: join(this.#memoryPath(), id), disk: this.diskDirectory(id) };
  }

  /** Where the files of its writable layer are. */
  diskDirectory(id: string): string {
    return join(this.#home, id);
  }

  /**
   * Whether boxes can start from it: a restart of the host deletes its memory.
   *
   * @throws A3sError `state-unusable`
   */
  async usable({ id, kind, saved }: SnapshotRecord): Promise<boolean> {
    if (saved === undefined) return false;
    const paths = [this.diskDirectory(id)];
    if (kind === 'memory') {
      if (!(await this.#hasMemory())) return false;
      const { memory } = this.directories(id);
      paths.push(...Object.values(SAVED_FILES).map((name) => join(memory, name)));
    }
    const found = await Promise.allSettled(paths.map((path) => access(path)));
    return found.every(({ status }) => status === 'fulfilled');
  }

  /** Bytes that the files of its disk have allocated, which boxes may share. */
  async diskBytes(id: string): Promise<number> {
    const directory = this.diskDirectory(id);
    const names = await readdir(directory).catch(() => []);
    const found = await Promise.allSettled(names.map((name) => stat(join(directory, name))));
    return found.reduce(
      (sum, each) => sum + (each.status === 'fulfilled' ? each.value.blocks * 512 : 0),
      0,
    );
  }

  /**
   * Records a snapshot before it is made, and makes its directories.
   *
   * @param bytes the most memory that it may take
   * @throws A3sError `name-in-use`, `out-of-memory`, `conflict`, `state-unusable`; nothing is left
   * then
   */
  async begin(record: SnapshotRecord, bytes: number): Promise<SnapshotDirectories> {
    this.#checkCount('memory');
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

  /**
   * Records a snapshot of a disk before it is made, and makes its directory.
   *
   * @returns the path of the directory
   * @throws A3sError `name-in-use`, `conflict`, `disk-full`; nothing is left then
   */
  async beginDisk(record: SnapshotRecord): Promise<string> {
    this.#checkCount('disk');
    this.#records.insert(record);
    const directory = this.diskDirectory(record.id);
    try {
      await mkdir(directory, { recursive: true, mode: 0o700 });
      return directory;
    } catch (error) {
      await this.discard(record.id);
      throw fullOr(error);
    }
  }

  /**
   * Marks it as complete once its files, with their names, are on the disk.
   *
   * @param pausedMs how long the box has been paused; asked last, since it still is
   */
  async finishDisk(record: SnapshotRecord, pausedMs: () => number): Promise<Snapshot> {
    const directory = this.diskDirectory(record.id);
    for (const name of await readdir(directory)) await syncFile(join(directory, name));
    for (const path of [directory, this.#home]) await syncDirectory(path);
    const made = { ...record, saved: { bytes: 0, pausedMs: pausedMs() } };
    this.#records.update(made);
    return made;
  }

  #checkCount(kind: SnapshotRecord['kind']): void {
    const most = MOST[kind];
    if (this.#records.list().filter((record) => record.kind === kind).length < most) return;
    throw new A3sError(
      'conflict',
      `Cannot make a snapshot: there are ${most} of a ${kind}, which are the most`,
      { remedy: 'Remove some with a3s-box snapshot rm.' },
    );
  }

  /** Marks it as complete: from now on boxes can start from it. */
  async finish(
    record: SnapshotRecord,
    saved: Omit<MemorySnapshot['saved'], 'bytes'>,
  ): Promise<Snapshot> {
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
    if (this.#records.resolve(id).kind === 'memory' && (await this.#hasMemory())) {
      await rm(this.directories(id).memory, { recursive: true, force: true });
      await rmdir(this.#memoryPath()).catch(() => undefined);
    }
    await removeDurably(this.diskDirectory(id));
    // Removed last: until then, a restarted server finds the record.
    this.#records.remove(id);
  }

  /**
   * A snapshot of a disk that is complete. The caller keeps it from being removed.
   *
   * @throws A3sError `no-such-snapshot`, `conflict` where it is not made yet
   */
  expectDisk(reference: string): Snapshot {
    const record = this.resolve(reference);
    if (record.saved === undefined) throw notMade(record);
    return { ...record, saved: record.saved };
  }

  /**
   * @throws A3sError `no-such-snapshot`, `state-unusable`, `conflict` where its memory is gone or
   * not there yet
   */
  async open(reference: string): Promise<OpenSnapshot> {
    const record = this.resolve(reference);
    const { id, name, saved } = record;
    if (saved === undefined) throw notMade(record);
    const { machine, written } = saved;
    if (machine === undefined || written === undefined || !(await this.usable(record))) {
      throw gone(name);
    }
    const { memory, disk } = this.directories(id);
    const paths = [join(memory, SAVED_FILES.ram), join(memory, SAVED_FILES.state)] as const;
    const flags = constants.O_RDONLY | constants.O_NOFOLLOW;
    const ram = await open(paths[0], flags);
    const state = await open(paths[1], flags).catch(async (error: unknown) => {
      await ram.close();
      throw error;
    });
    return {
      snapshot: { ...record, saved: { ...saved, machine, written } },
      fork: { ...machine, ram: ram.fd, state: state.fd },
      disk,
      [Symbol.asyncDispose]: async () => {
        await ram.close();
        await state.close();
      },
    };
  }

  /** The boxes whose memory was being saved when a server ended. */
  unfinishedBoxes(): string[] {
    return this.#unfinished()
      .filter(({ kind }) => kind === 'memory')
      .map(({ box }) => box.id);
  }

  /**
   * Removes unrecorded files, and snapshots that were incomplete when a server ended.
   *
   * @throws A3sError `state-unusable`; nothing that concerns memory is removed then
   */
  async sweep(): Promise<void> {
    for (const { id, kind } of this.#unfinished()) if (kind === 'disk') await this.discard(id);
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

async function syncFile(path: string): Promise<void> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW);
  try {
    await file.sync();
  } catch (error) {
    throw fullOr(error);
  } finally {
    await file.close();
  }
}

function fullOr(error: unknown): unknown {
  if (!isDiskFull(error)) return error;
  return new A3sError('disk-full', 'Cannot make the snapshot: no space is left', {
    remedy: 'Free some space and try again.',
    cause: error,
  });
}

export function notMade({ name }: Pick<SnapshotRecord, 'name'>): A3sError {
  return new A3sError('conflict', `The snapshot ${name} is not made yet`);
}

function gone(name: string): A3sError {
  return new A3sError('conflict', `The memory of the snapshot ${name} is gone`, {
    remedy: `The host was rebooted since, and its memory is gone: remove it with a3s-box snapshot rm ${name}.`,
  });
}
