/**
 * A VM that was saved while it ran, and what saves it.
 *
 * @module
 */
import type { CHANGES_SERIALS } from './slots.ts';

/** A part of a file that holds RAM. */
export interface RamExtent {
  readonly offset: number;
  readonly bytes: number;
}

/** A VM as it was saved while it ran. Its forks must have the same properties. */
export interface SavedVm {
  /**
   * Where its devices are: a VM that booted has them at other places than one that started from a
   * template.
   */
  readonly arrangement: 'boot' | 'template';
  /** The serial of its writable layer. */
  readonly changesSerial: (typeof CHANGES_SERIALS)[number];
  readonly memory: RamExtent;
  /** The size of the RAM that was attached later. */
  readonly growth?: RamExtent | undefined;
}

/** What an engine needs to save a VM that keeps running. */
export interface SaveRequest {
  /** A private directory. Afterwards it holds RAM and state, under these names. */
  readonly directory: string;
  /**
   * An empty qcow2 image, which takes the VM's writes from then on. Its writable layer stays as it
   * was.
   */
  readonly overlayPath: string;
  /**
   * The VM stays paused where it was saved, and the caller ends it: nothing it has writes to any of
   * its disks after that moment. Absent: it resumes.
   */
  readonly ends?: boolean | undefined;
}

/** The files of a saved VM. */
export const SAVED_FILES = { ram: 'ram', state: 'state' } as const;

/** A saved VM that forks start from. */
export interface OpenSavedVm extends SavedVm {
  /**
   * Descriptor of its RAM, open for reading. Any identity can open it again through
   * `/proc/self/fd`.
   */
  readonly ram: number;
  /** Descriptor of its state, open for reading. */
  readonly state: number;
}
