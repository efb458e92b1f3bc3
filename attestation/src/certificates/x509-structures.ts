/**
 * The X.509 structures (RFC 5280, 4.1 and 5.1) that all kinds of certificates share.
 *
 * @module
 */
import { sameBytes } from '../der/bytes.ts';
import { DerError } from '../der/error.ts';
import { readBits, readNumber, readSerial } from '../der/primitives.ts';
import { DerReader, openDer } from '../der/reader.ts';
import { contextConstructed, Tag } from '../der/tags.ts';
import { readTime } from '../der/time.ts';
import { toHex } from '../hex.ts';
import { isPssAlgorithm } from './algorithms.ts';
import { type Extension, readExtensions } from './extensions.ts';
import { type DistinguishedName, readName } from './name.ts';

const SIGNATURE_OCTETS = 512;
const VERSION_3 = 2;
const EXTENSIONS = contextConstructed(3);

/** A signed structure whose contents are still to be read. */
export interface Signed {
  /** What the signature is over, encoded. */
  readonly tbs: Uint8Array;
  readonly fields: DerReader;
  /** AlgorithmIdentifier beside the signature, encoded. */
  readonly algorithm: Uint8Array;
  /** 512 bytes, but in a foreign certificate. */
  readonly signature: Uint8Array;
}

/** A certificate of version 3 whose key and extensions are not read yet. */
export interface Certificate {
  /** Lower-case hexadecimal, such as `010001`. */
  readonly serial: string;
  /** AlgorithmIdentifier inside what is signed, encoded. */
  readonly innerAlgorithm: Uint8Array;
  /** AlgorithmIdentifier beside the signature, encoded. */
  readonly outerAlgorithm: Uint8Array;
  readonly issuer: DistinguishedName;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
  readonly subject: DistinguishedName;
  /** SubjectPublicKeyInfo, encoded. */
  readonly subjectPublicKeyInfo: Uint8Array;
  readonly extensions: readonly Extension[];
  /** What the signature is over, encoded. */
  readonly tbs: Uint8Array;
  /** 512 bytes, but in a foreign certificate. */
  readonly signature: Uint8Array;
}

/**
 * Opens SEQUENCE { what is signed, algorithm, signature of 512 octets } of at most `maximum` bytes.
 *
 * @throws {DerError} for any other encoding.
 */
export function readSigned(der: Uint8Array, maximum: number): Signed {
  const signed = openSigned(der, maximum);
  const { length } = signed.signature;
  if (length !== SIGNATURE_OCTETS) {
    throw new DerError(`a signature of ${SIGNATURE_OCTETS} octets`, `${length} octets`);
  }
  return signed;
}

/**
 * Reads a certificate of at most `maximum` bytes. Its algorithms are for {@link requirePss}.
 *
 * @throws {DerError} unless it is of version 3, in DER, without unique identifiers.
 */
export function readCertificate(der: Uint8Array, maximum: number): Certificate {
  return readFields(readSigned(der, maximum));
}

/** Reads a certificate that another key than AMD's signed, with a signature of any size. */
export function readForeignCertificate(der: Uint8Array, maximum: number): Certificate {
  return readFields(openSigned(der, maximum));
}

function openSigned(der: Uint8Array, maximum: number): Signed {
  const input = openDer(der, maximum);
  const outer = input.enter();
  input.end();
  const { encoded: tbs, content } = outer.take(Tag.SEQUENCE);
  const { encoded: algorithm } = outer.take(Tag.SEQUENCE);
  const signature = readBits(outer);
  outer.end();
  return { tbs, fields: new DerReader(content), algorithm, signature };
}

function readFields(signed: Signed): Certificate {
  const { tbs, fields, algorithm: outerAlgorithm, signature } = signed;
  readVersion(fields);
  const serial = readSerial(fields);
  const { encoded: innerAlgorithm } = fields.take(Tag.SEQUENCE);
  const issuer = readName(fields);
  const validity = fields.enter();
  const notBefore = readTime(validity);
  const notAfter = readTime(validity);
  validity.end();
  const subject = readName(fields);
  const { encoded: subjectPublicKeyInfo } = fields.take(Tag.SEQUENCE);
  const extensions = readOptionalExtensions(fields);
  fields.end();
  return {
    serial,
    innerAlgorithm,
    outerAlgorithm,
    issuer,
    notBefore,
    notAfter,
    subject,
    subjectPublicKeyInfo,
    extensions,
    tbs,
    signature,
  };
}

/**
 * What is signed must name the algorithm that is beside the signature, which must be RSASSA-PSS.
 *
 * @throws {DerError} for anything but one of {@link pssAlgorithm} twice.
 */
export function requirePss(inner: Uint8Array, outer: Uint8Array): void {
  if (!isPssAlgorithm(inner)) {
    throw new DerError('RSASSA-PSS, SHA-384, salt 48', toHex(inner.subarray(0, 80)));
  }
  if (!sameBytes(inner, outer)) {
    throw new DerError('the algorithm that is signed', toHex(outer.subarray(0, 80)));
  }
}

function readVersion(fields: DerReader): void {
  const explicit = fields.enter(contextConstructed(0));
  const version = readNumber(explicit, 255);
  explicit.end();
  if (version !== VERSION_3) throw new DerError('version 3', `version ${version + 1}`);
}

function readOptionalExtensions(fields: DerReader): readonly Extension[] {
  if (fields.nextTag !== EXTENSIONS) return [];
  const explicit = fields.enter(EXTENSIONS);
  const extensions = readExtensions(explicit);
  explicit.end();
  return extensions;
}
