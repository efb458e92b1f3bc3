/**
 * The one signature algorithm of AMD's certificates: RSASSA-PSS with SHA-384, MGF1 with SHA-384 and
 * a salt of 48 octets (RFC 4055, 3.1), in the two encodings that are in use.
 *
 * They are compared octet by octet, since signature verification trusts the parameters that it
 * gets.
 *
 * @module
 */
import { sameBytes } from '../der/bytes.ts';
import { Tag } from '../der/tags.ts';
import { explicit, integer, oid, sequence, value } from '../der/writer.ts';

const SHA_384 = sequence(oid('2.16.840.1.101.3.4.2.2'), value(Tag.NULL));
const MGF_1 = sequence(oid('1.2.840.113549.1.1.8'), SHA_384);
const PARAMETERS = [explicit(0, SHA_384), explicit(1, MGF_1), explicit(2, integer(48))];
const TRAILER_FIELD = explicit(3, integer(1));

const WITHOUT_TRAILER_FIELD = algorithm(PARAMETERS);
const WITH_TRAILER_FIELD = algorithm([...PARAMETERS, TRAILER_FIELD]);

/**
 * AlgorithmIdentifier, encoded.
 *
 * @param trailerField whether it spells out the default trailer field. Authorities and older
 *   endorsement keys have it, newer ones and revocation lists do not.
 */
export function pssAlgorithm(trailerField: boolean): Uint8Array {
  return trailerField ? WITH_TRAILER_FIELD : WITHOUT_TRAILER_FIELD;
}

/** Whether this is one of the two. */
export function isPssAlgorithm(encoded: Uint8Array): boolean {
  return sameBytes(encoded, WITHOUT_TRAILER_FIELD) || sameBytes(encoded, WITH_TRAILER_FIELD);
}

function algorithm(parameters: readonly Uint8Array[]): Uint8Array {
  return sequence(oid('1.2.840.113549.1.1.10'), sequence(...parameters));
}
