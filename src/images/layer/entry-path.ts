/**
 * Names of a layer's entries, always relative to the root of the box and never outside it.
 *
 * @module
 */
import { corrupt, printable } from '../../oci/corrupt.ts';

const MAX_COMPONENT = 255;

/**
 * The parts of a name; none for the root itself. A leading slash means the root of the box.
 *
 * @throws A3sError `invalid-image` for a name with `..`, which tools read in different ways
 */
export function parseEntryPath(path: string, what: string): readonly string[] {
  if (path === '') throw corrupt(what, 'an entry has no name');
  const parts = path.split('/').filter((part) => part !== '' && part !== '.');
  for (const part of parts) {
    if (part === '..') throw corrupt(what, `the name ${printable(path)} leads upwards`);
    if (part.length > MAX_COMPONENT) {
      throw corrupt(what, `a part of the name ${printable(path)} is longer than ${MAX_COMPONENT}`);
    }
    if (part.includes('\0')) {
      throw corrupt(what, `the name ${printable(path)} has a NUL character`);
    }
  }
  return parts;
}
