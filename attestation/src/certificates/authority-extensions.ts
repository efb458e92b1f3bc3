/**
 * Extensions of authorities' certificates and revocation lists, as AMD encodes them.
 *
 * @module
 */
import { sameBytes } from '../der/bytes.ts';
import { DerError } from '../der/error.ts';
import { DerReader } from '../der/reader.ts';
import { contextConstructed, contextPrimitive, Tag } from '../der/tags.ts';
import { readText } from '../der/text.ts';
import {
  boolean,
  explicit,
  ia5String,
  implicit,
  integer,
  octetString,
  sequence,
} from '../der/writer.ts';
import { toHex } from '../hex.ts';
import { ExtensionId, type ExtensionSet } from './extensions.ts';

const KEY_ID_OCTETS = 20;
const MAX_URL = 256;
const KEY_IDENTIFIER = contextPrimitive(0);
const URI = contextPrimitive(6);

/** How a root and an intermediate differ. */
export interface AuthorityProfile {
  readonly basicConstraints: Uint8Array;
  readonly keyUsage: Uint8Array;
}

/** CA without a limit; keyCertSign and cRLSign. */
export const ROOT_PROFILE: AuthorityProfile = {
  basicConstraints: sequence(boolean(true)),
  keyUsage: Uint8Array.of(Tag.BIT_STRING, 2, 1, 0x06),
};

/**
 * CA with nothing but end entities below; keyCertSign.
 *
 * The key usage of AMD's has a trailing zero bit, which DER would not have (X.690, 11.2.2).
 */
export const INTERMEDIATE_PROFILE: AuthorityProfile = {
  basicConstraints: sequence(boolean(true), integer(0)),
  keyUsage: Uint8Array.of(Tag.BIT_STRING, 2, 1, 0x04),
};

/** Value of subjectKeyIdentifier. */
export function encodeSubjectKeyId(id: Uint8Array): Uint8Array {
  return octetString(id);
}

/** Value of authorityKeyIdentifier. */
export function encodeAuthorityKeyId(id: Uint8Array): Uint8Array {
  return sequence(implicit(0, id));
}

/** Value of cRLDistributionPoints with one URL. */
export function encodeDistributionPoint(url: string): Uint8Array {
  const { content } = new DerReader(ia5String(url)).take(Tag.IA5_STRING);
  return sequence(sequence(explicit(0, explicit(0, implicit(6, content)))));
}

/**
 * The subject's key identifier, 20 octets in hexadecimal.
 *
 * @throws {DerError} for any other value.
 */
export function takeSubjectKeyId(set: ExtensionSet): string {
  const reader = new DerReader(set.take(ExtensionId.SUBJECT_KEY_IDENTIFIER, false));
  return onlyKeyId(reader, Tag.OCTET_STRING);
}

/**
 * The issuer's key identifier, 20 octets in hexadecimal.
 *
 * @throws {DerError} for any other value, such as one with the issuer's name.
 */
export function takeAuthorityKeyId(set: ExtensionSet): string {
  const reader = new DerReader(set.take(ExtensionId.AUTHORITY_KEY_IDENTIFIER, false));
  const fields = reader.enter();
  reader.end();
  return onlyKeyId(fields, KEY_IDENTIFIER);
}

/**
 * The URL of revocation lists; null where it is missing. For comparison only: nothing is fetched
 * from it.
 *
 * @throws {DerError} for anything but one full name that is one URL of at most 256 octets.
 */
export function takeDistributionPoint(set: ExtensionSet): string | null {
  if (!set.has(ExtensionId.CRL_DISTRIBUTION_POINTS)) return null;
  const levels = [Tag.SEQUENCE, Tag.SEQUENCE, contextConstructed(0), contextConstructed(0)];
  let reader = new DerReader(set.take(ExtensionId.CRL_DISTRIBUTION_POINTS, false));
  for (const tag of levels) {
    const inner = reader.enter(tag);
    reader.end();
    reader = inner;
  }
  const url = readText(reader, Tag.IA5_STRING, MAX_URL, URI);
  reader.end();
  return url;
}

/**
 * Takes the extensions that define an authority's rights.
 *
 * @throws {DerError} unless they are those of the profile, octet by octet.
 */
export function takeProfile(set: ExtensionSet, profile: AuthorityProfile): void {
  takeExactly(set, ExtensionId.BASIC_CONSTRAINTS, profile.basicConstraints);
  takeExactly(set, ExtensionId.KEY_USAGE, profile.keyUsage);
}

function takeExactly(set: ExtensionSet, id: string, expected: Uint8Array): void {
  const value = set.take(id, true);
  if (sameBytes(value, expected)) return;
  throw new DerError(`extension ${id} ${toHex(expected)}`, toHex(value.subarray(0, 32)));
}

function onlyKeyId(reader: DerReader, tag: number): string {
  const { content } = reader.take(tag);
  reader.end();
  if (content.length === KEY_ID_OCTETS) return toHex(content);
  throw new DerError(`a key identifier of ${KEY_ID_OCTETS} octets`, `${content.length} octets`);
}
