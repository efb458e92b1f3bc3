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
  readonly mayHaveVm: (box: string) => boolean;
}

export class DiskHolders {
  /**
   * By the volume's name. A box that is not live has let go of its disks. There are several where
   * an earlier server ended while one box had the disk and others were starting.
   */
  readonly #holders = new Map<string, readonly string[]>();
  readonly #mayHaveVm: (box: string) => boolean;

  constructor({ records, usersOf, running, mayHaveVm }: HoldersOptions) {
    this.#mayHaveVm = mayHaveVm;
    const earlier = new Set(running);
    for (const { name, diskBytes } of records.list()) {
      if (diskBytes === undefined) continue;
      this.#holders.set(
        name,
        usersOf(name).filter((id) => earlier.has(id)),
      );
    }
  }

  /** Id of the box that has the disk, or may have it. */
  holderOf(name: string): string | undefined {
    return this.#liveHolders(name)[0];
  }

  #liveHolders(name: string): readonly string[] {
    return (this.#holders.get(name) ?? []).filter((box) => this.#mayHaveVm(box));
  }

  /** @throws A3sError `volume-in-use` where another box has it */
  take(name: string, box: string): void {
    const holder = this.#liveHolders(name).find((id) => id !== box);
    if (holder === undefined) {
      this.#holders.set(name, [box]);
      return;
    }
    throw new A3sError(
      'volume-in-use',
      `cannot mount volume ${name}: it is a disk, which the box ${holder.slice(0, 12)} has`,
      { remedy: 'Stop that box first: a disk has one box at a time. Directories have many.' },
    );
  }
}
