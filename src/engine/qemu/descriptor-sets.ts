/**
 * The sets that QEMU keeps inherited descriptors in, and the names by which it opens them: such an open duplicates the
 * descriptor, so no path and no mode is looked at.
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

export function setFile(set: number): string {
  return `/dev/fdset/${set}`;
}

/** The devices' state of a template, in the monitor's words. */
export const STATE_URI = `file:${setFile(STATE_SET)}`;
