/**
 * Revocation lists: a root's list of intermediates that are no longer good (RFC 5280, 5).
 *
 * @module
 */
import { DerError, decoding } from '../der/error.ts';
import { readNumber, readSerial, readUnsigned } from '../der/primitives.ts';
import { DerReader } from '../der/reader.ts';
import { contextConstructed, Tag } from '../der/tags.ts';
import { readTime } from '../der/time.ts';
import { toHex } from '../hex.ts';
import { takeAuthorityKeyId } from './authority-extensions.ts';
import { ExtensionId, ExtensionSet, readExtensions } from './extensions.ts';
import { type DistinguishedName, readName } from './name.ts';
import { readSigned, requirePss } from './x509-structures.ts';

/** Real ones have less than 1000. */
const MAX_BYTES = 65_536;
const MAX_REVOKED = 1024;
const VERSION_2 = 1;
const EXTENSIONS = contextConstructed(0);
/** The reason that removes an entry, which only delta lists do (RFC 5280, 5.3.1). */
const REMOVE_FROM_CRL = 8;
const LAST_REASON = 10;

/** A revocation list. Nothing is verified yet. */
export interface Crl {
  readonly issuer: DistinguishedName;
  /** cRLNumber: a later list has a greater one. */
  readonly number: bigint;
  /** Milliseconds since 1970. */
  readonly thisUpdate: number;
  /** Milliseconds since 1970. */
  readonly nextUpdate: number;
  /** Serial number, lower-case hexadecimal such as `020001` → milliseconds since 1970. */
  readonly revoked: ReadonlyMap<string, number>;
  /** 20 bytes. */
  readonly authorityKeyId: string;
  /** What is signed, encoded. */
  readonly tbs: Uint8Array;
  /** RSASSA-PSS, 512 bytes. */
  readonly signature: Uint8Array;
}

/**
 * Reads a revocation list.
 *
 * @throws {AttestationError} `crl-encoding` unless it is an X.509 CRL of version 2 in DER, signed
 *   by RSASSA-PSS in one of the two encodings, with nextUpdate, an authority key identifier, a
 *   number and no other extension, and at most 1024 entries that each have a serial number of their
 *   own and, of extensions, at most a reason.
 */
export function parseCrl(der: Uint8Array): Crl {
  return decoding('crl-encoding', 'Revocation list', () => readCrl(der));
}

function readCrl(der: Uint8Array): Crl {
  const { tbs, fields, algorithm, signature } = readSigned(der, MAX_BYTES);
  const version = readNumber(fields, 255);
  if (version !== VERSION_2) throw new DerError('version 2', `version ${version + 1}`);
  requirePss(fields.take(Tag.SEQUENCE).encoded, algorithm);
  const issuer = readName(fields);
  const thisUpdate = readTime(fields);
  const nextUpdate = readTime(fields);
  const revoked = readRevoked(fields);
  const extensions = readCrlExtensions(fields);
  fields.end();
  return { issuer, thisUpdate, nextUpdate, revoked, ...extensions, tbs, signature };
}

function readRevoked(fields: DerReader): ReadonlyMap<string, number> {
  const revoked = new Map<string, number>();
  if (fields.nextTag !== Tag.SEQUENCE) return revoked;
  const list = fields.enter();
  do {
    if (revoked.size === MAX_REVOKED) throw new DerError(`at most ${MAX_REVOKED} entries`, 'more');
    const entry = list.enter();
    const serial = readSerial(entry);
    if (revoked.has(serial)) throw new DerError('each serial number once', `${serial} twice`);
    revoked.set(serial, readTime(entry));
    if (entry.nextTag !== undefined) readEntryExtensions(entry);
    entry.end();
  } while (list.nextTag !== undefined);
  return revoked;
}

/**
 * An entry counts as revoked for any reason except the one that undoes a revocation.
 */
function readEntryExtensions(entry: DerReader): void {
  const set = new ExtensionSet(readExtensions(entry));
  const value = new DerReader(set.take(ExtensionId.REASON_CODE, false));
  const reason = readNumber(value, LAST_REASON, Tag.ENUMERATED);
  value.end();
  set.end();
  if (reason === REMOVE_FROM_CRL) throw new DerError('a reason to revoke', 'removeFromCRL');
}

function readCrlExtensions(fields: DerReader): Pick<Crl, 'number' | 'authorityKeyId'> {
  const explicit = fields.enter(EXTENSIONS);
  const set = new ExtensionSet(readExtensions(explicit));
  explicit.end();
  const authorityKeyId = takeAuthorityKeyId(set);
  const value = new DerReader(set.take(ExtensionId.CRL_NUMBER, false));
  const number = BigInt(`0x${toHex(readUnsigned(value, 20))}`);
  value.end();
  set.end();
  return { number, authorityKeyId };
}
