/**
 * The sets in which QEMU keeps inherited descriptors, and the names by which it opens them. Such an
 * open duplicates the descriptor, so no path and no mode is checked.
 *
 * @module
 */

/** The devices' state of a template. */
export const STATE_SET = 0;
export const KVM_SET = 1;
const FIRST_DISK_SET = 2;

/** The set of the nth disk. */
export function diskSet(index: number): number {
  return FIRST_DISK_SET + index;
}

/** Sets of the images below disks begin here, above those of any number of disks. */
const FIRST_BACKING_SET = 1000;
/** The largest number of images below a disk. */
const MOST_BACKING = 32;

/** The set of the nth image below a disk, from the lowest. */
export function backingSet(disk: number, n: number): number {
  return FIRST_BACKING_SET + disk * MOST_BACKING + n;
}

/** The set of the file that is attached to the nth slot. */
export function attachedSet(slot: number): number {
  return FIRST_ATTACHED_SET + slot;
}

const FIRST_ATTACHED_SET = 800;

/** Sets of files that are passed while the VM is saved. */
export const SAVING_SETS = { ram: 900, devices: 901 } as const;
const FIRST_OVERLAY_SET = 10_000;
const OVERLAY_SETS = 1_000_000;

/** A set for one more layer of a disk. Each further save of a VM needs another one. */
export function overlaySet(): number {
  return FIRST_OVERLAY_SET + Math.floor(Math.random() * OVERLAY_SETS);
}

export function setFile(set: number): string {
  return `/dev/fdset/${set}`;
}

/** The devices' state of a template, in the monitor's words. */
export const STATE_URI = `file:${setFile(STATE_SET)}`;
