/**
 * Certificates of endorsement keys: VCEK (of a chip) and VLEK (of a cloud provider), as AMD 57230
 * has them.
 *
 * @module
 */
import { decoding } from '../der/error.ts';
import type { Extension } from './extensions.ts';
import { type EcPublicKey, parseEcPublicKey } from './keys.ts';
import type { DistinguishedName } from './name.ts';
import { readVekExtensions, type VekIdentity } from './vek-extensions.ts';
import { readCertificate, requirePss } from './x509-structures.ts';

/** Real ones have 1289 to 1361. */
const MAX_BYTES = 4096;

/** An endorsement key's certificate before its key and its extensions are read. */
export interface VekCertificate {
  readonly subject: DistinguishedName;
  readonly issuer: DistinguishedName;
  /** Lower-case hexadecimal; `00` in all that AMD has issued. */
  readonly serial: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
  /** SubjectPublicKeyInfo, encoded. */
  readonly subjectPublicKeyInfo: Uint8Array;
  readonly extensions: readonly Extension[];
  /** What is signed, encoded. */
  readonly tbs: Uint8Array;
  /** RSASSA-PSS, 512 bytes. */
  readonly signature: Uint8Array;
}

/** An endorsement key. Nothing is verified yet. */
export interface Vek extends VekIdentity {
  readonly issuer: DistinguishedName;
  readonly subject: DistinguishedName;
  /** Lower-case hexadecimal; `00` in all that AMD has issued. */
  readonly serial: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
  readonly publicKey: EcPublicKey;
  /** What is signed, encoded. */
  readonly tbs: Uint8Array;
  /** RSASSA-PSS, 512 bytes. */
  readonly signature: Uint8Array;
}

/**
 * Reads the certificate's frame.
 *
 * @throws {AttestationError} `vek-encoding` unless it is an X.509 certificate of version 3 in DER,
 *   then `vek-algorithm` unless it is signed by RSASSA-PSS in one of the two encodings.
 */
export function parseVekCertificate(der: Uint8Array): VekCertificate {
  const certificate = decoding('vek-encoding', 'Endorsement key certificate', () =>
    readCertificate(der, MAX_BYTES),
  );
  const { innerAlgorithm, outerAlgorithm, ...rest } = certificate;
  decoding('vek-algorithm', 'Signature algorithm of the endorsement key certificate', () =>
    requirePss(innerAlgorithm, outerAlgorithm),
  );
  return rest;
}

/**
 * Reads the parts that {@link parseVekCertificate} leaves unread.
 *
 * @throws {AttestationError} `vek-public-key` unless the key is on P-384, then `vek-extensions`
 *   unless the extensions are those of a VCEK or VLEK, each once.
 */
export function readVek(certificate: VekCertificate): Vek {
  const { subjectPublicKeyInfo, extensions, ...rest } = certificate;
  const publicKey = decoding('vek-public-key', 'Endorsement key', () =>
    parseEcPublicKey(subjectPublicKeyInfo),
  );
  const identity = decoding('vek-extensions', 'Extensions of the endorsement key certificate', () =>
    readVekExtensions(extensions),
  );
  return { ...rest, ...identity, publicKey };
}

/** {@link parseVekCertificate}, then {@link readVek}; throws as they do. */
export function parseVek(der: Uint8Array): Vek {
  return readVek(parseVekCertificate(der));
}
