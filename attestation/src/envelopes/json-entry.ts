/**
 * One entry of certificates in a JSON envelope.
 *
 * @module
 */

import { jsonMalformed } from './encodings/json.ts';
import { type EntryName, entryContents, MOST_IN_ENTRY } from './entry-contents.ts';

const MAX_SIZE = 0x1_0000;

/**
 * DER of each certificate of an entry, as {@link entryContents} has it.
 *
 * @throws AttestationError `json-malformed` for more than 64 KiB and for anything but certificates
 */
export function jsonEntry(name: EntryName, bytes: Uint8Array, path: string): Uint8Array[] {
  if (bytes.length > MAX_SIZE) {
    throw jsonMalformed(path, `certificates of at most ${MAX_SIZE} bytes`);
  }
  const certificates = decode(name, bytes, path);
  if (certificates !== undefined) return certificates;
  const most = MOST_IN_ENTRY[name];
  throw jsonMalformed(path, most === 1 ? 'one certificate' : `at most ${most} certificates`);
}

function decode(name: EntryName, bytes: Uint8Array, path: string): Uint8Array[] | undefined {
  try {
    return entryContents(name, bytes);
  } catch (error) {
    throw jsonMalformed(path, 'a certificate, DER or PEM, with nothing but padding behind', error);
  }
}
