/**
 * The certificates, or the revocation list, of one entry of an envelope.
 *
 * @module
 */
import { DerError } from '../der/error.ts';
import { DerReader } from '../der/reader.ts';
import { Tag } from '../der/tags.ts';
import { isZero } from '../report/field.ts';
import { decodePem, type PemLabel } from './encodings/pem.ts';

/** The kinds of entries of envelopes. */
export type EntryName = 'vcek' | 'vlek' | 'ask' | 'ark' | 'crl';

/**
 * How many an entry may hold: hosts put AMD's `cert_chain`, intermediate and root, where one
 * authority belongs. Of what is believed there is one.
 */
export const MOST_IN_ENTRY: Readonly<Record<EntryName, number>> = {
  vcek: 1,
  vlek: 1,
  ask: 2,
  ark: 2,
  crl: 1,
};

/** NUL and ASCII's white space. */
const PADDING: readonly number[] = [0x00, 0x09, 0x0a, 0x0c, 0x0d, 0x20];

/**
 * Returns the DER of every object in an entry. The entry is one DER object or PEM: hosts write
 * either, contrary to the specification. Undefined for more than {@link MOST_IN_ENTRY}.
 *
 * Hosts also fill entries up, to whole pages for one. So zeros may stand behind DER, and zeros and
 * white space behind PEM; that padding is left out, and nothing else may be there. Verification
 * checks the DER's contents.
 *
 * @throws AttestationError `pem-malformed` for what starts as no DER and is no strict PEM
 * @throws DerError for DER that ends before its length says, or has more than zeros behind it
 */
export function entryContents(name: EntryName, bytes: Uint8Array): Uint8Array[] | undefined {
  if (bytes[0] === Tag.SEQUENCE) return [unpaddedDer(bytes)];
  const label: PemLabel = name === 'crl' ? 'X509 CRL' : 'CERTIFICATE';
  const ders = decodePem(unpaddedText(bytes), label);
  return ders.length > MOST_IN_ENTRY[name] ? undefined : ders;
}

function unpaddedDer(bytes: Uint8Array): Uint8Array {
  const { encoded } = new DerReader(bytes).take(Tag.SEQUENCE);
  const padding = bytes.subarray(encoded.length);
  if (!isZero(padding)) throw new DerError('zeros behind the value', 'something else');
  return new Uint8Array(encoded);
}

function unpaddedText(bytes: Uint8Array): Uint8Array {
  return bytes.subarray(0, bytes.findLastIndex((byte) => !PADDING.includes(byte)) + 1);
}
