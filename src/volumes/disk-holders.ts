/**
 * Which box has which disk. A disk has one box at a time: two kernels that mount one file system
 * destroy it.
 *
 * The file's own lock, which each VMM takes, would keep a second writer out too, but not a reader.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import type { VolumeRecords } from './records.ts';

interface HoldersOptions {
  readonly records: Pick<VolumeRecords, 'list'>;
  readonly usersOf: (name: string) => readonly string[];
  /** Ids of the boxes that an earlier server has started: they have their disks. */
  readonly running: Iterable<string>;
  readonly isLive: (box: string) => boolean;
}

export class DiskHolders {
  /** By the volume's name. A box that is not live has let go of its disks. */
  readonly #holders = new Map<string, string>();
  readonly #isLive: (box: string) => boolean;

  constructor({ records, usersOf, running, isLive }: HoldersOptions) {
    this.#isLive = isLive;
    const earlier = new Set(running);
    for (const { name, diskBytes } of records.list()) {
      const holder =
        diskBytes === undefined ? undefined : usersOf(name).find((id) => earlier.has(id));
      if (holder !== undefined) this.#holders.set(name, holder);
    }
  }

  /** Id of the box that has the disk. */
  holderOf(name: string): string | undefined {
    const holder = this.#holders.get(name);
    return holder !== undefined && this.#isLive(holder) ? holder : undefined;
  }

  /** @throws A3sError `volume-in-use` where another box has it */
  take(name: string, box: string): void {
    const holder = this.holderOf(name);
    if (holder === undefined || holder === box) {
      this.#holders.set(name, box);
      return;
    }
    throw new A3sError(
      'volume-in-use',
      `cannot mount volume ${name}: it is a disk, which the box ${holder.slice(0, 12)} has`,
      { remedy: 'Stop that box first: a disk has one box at a time. Directories have many.' },
    );
  }
}
