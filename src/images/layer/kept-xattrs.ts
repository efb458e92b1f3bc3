/**
 * Which extended attributes of a layer reach the box.
 *
 * `trusted.*` would steer overlayfs (redirects, opaque directories, metadata of other files),
 * `user.overlay.*` the same for one without privileges; labels of a security module belong to the
 * host that wrote them. All of these are dropped.
 *
 * @module
 */
import { corrupt, printable } from '../../oci/corrupt.ts';

const MAX_NAME = 255;
const MAX_VALUE = 64 * 1024 - 1;
/** All attributes of one file; ext4 and overlayfs hold less. */
const MAX_TOTAL = 64 * 1024;

const CAPABILITY = 'security.capability';
/** Revisions 2 and 3 of `vfs_cap_data`. */
const CAPABILITY_SIZES = [20, 24];

const NONE: ReadonlyMap<string, Buffer> = new Map();

/**
 * The attributes that are kept, sorted by name. Names are bytes, each as one character of its code.
 */
export function keptXattrs(
  xattrs: ReadonlyMap<string, Buffer>,
  path: string,
  what: string,
): ReadonlyMap<string, Buffer> {
  if (xattrs.size === 0) return NONE;
  const kept = [...xattrs].filter(([name, value]) => isKept(name, value, path, what));
  let total = 0;
  for (const [name, value] of kept) {
    total += name.length + value.length;
    if (name.length > MAX_NAME || value.length > MAX_VALUE || total > MAX_TOTAL) {
      throw corrupt(what, `the extended attributes of ${printable(path)} are too large`);
    }
  }
  if (kept.length === 0) return NONE;
  return new Map(kept.sort(([a], [b]) => (a < b ? -1 : 1)));
}

function isKept(name: string, value: Buffer, path: string, what: string): boolean {
  if (name === CAPABILITY) {
    if (CAPABILITY_SIZES.includes(value.length)) return true;
    throw corrupt(what, `the capabilities of ${printable(path)} are malformed`);
  }
  return name.startsWith('user.') && name.length > 5 && !name.startsWith('user.overlay.');
}
