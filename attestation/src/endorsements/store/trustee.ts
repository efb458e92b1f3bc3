/**
 * VCEKs from a directory that was made for Trustee's offline store.
 *
 * @module
 */
import { join } from 'node:path';
import { AttestationError } from '../../errors.ts';
import { MAX_CERTIFICATE_BYTES, vcekOf } from '../answers.ts';
import { listDirectory, readFileBounded } from './files.ts';
import { type EndorsementStore, HWID } from './store.ts';

/**
 * Puts every `vcek/{HWID}/{…}_vcek.der` and `vcek/{HWID}/vcek.der` under a directory into a store.
 *
 * A certificate's own claim decides its chip and TCB, not its file name; other files are ignored.
 * Nothing is put unless all of them are certificates of VCEKs.
 *
 * @returns how many there were.
 * @throws AttestationError `store-malformed` with the name of a file that is no certificate of a
 * VCEK, or with that of the directory if it has none, and `store-unusable`.
 */
export async function importTrusteeStore(
  store: EndorsementStore,
  directory: string,
): Promise<number> {
  const chips = join(directory, 'vcek');
  const found: Uint8Array[] = [];
  for (const chip of await listDirectory(chips)) {
    if (!HWID.test(chip.toLowerCase())) continue;
    for (const name of await listDirectory(join(chips, chip))) {
      if (!/^(.+_)?vcek\.der$/.test(name)) continue;
      found.push(await certificate(join(chips, chip, name)));
    }
  }
  if (found.length === 0) throw malformed(chips, 'a VCEK certificate', 'none');
  for (const der of found) await store.putVcek(der);
  return found.length;
}

async function certificate(path: string): Promise<Uint8Array> {
  const der = await readFileBounded(path, MAX_CERTIFICATE_BYTES);
  if (der === undefined) throw malformed(path, 'a file', 'none');
  try {
    vcekOf(der);
    return der;
  } catch (cause) {
    throw malformed(path, 'the certificate of a VCEK', (cause as AttestationError).message);
  }
}

function malformed(path: string, expected: string, found: string): AttestationError {
  return new AttestationError('store-malformed', `Cannot import ${path}.`, { expected, found });
}
