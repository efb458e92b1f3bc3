/**
 * Certificates of authorities: ARK (root), ASK and ASVK (intermediates over VCEKs and VLEKs).
 *
 * @module
 */
import { DerError, decoding } from '../der/error.ts';
import {
  INTERMEDIATE_PROFILE,
  ROOT_PROFILE,
  takeAuthorityKeyId,
  takeDistributionPoint,
  takeProfile,
  takeSubjectKeyId,
} from './authority-extensions.ts';
import { type Extension, ExtensionId, ExtensionSet } from './extensions.ts';
import { parseRsaPublicKey, type RsaPublicKey } from './keys.ts';
import type { DistinguishedName } from './name.ts';
import { type Certificate, readCertificate, requirePss } from './x509-structures.ts';

/** Real ones have 1639 to 1683. */
const MAX_BYTES = 4096;

/** The contents of an authority's extensions. */
export interface CaExtensions {
  /** 20 bytes. */
  readonly subjectKeyId: string;
  /** 20 bytes; null in a root. */
  readonly authorityKeyId: string | null;
  /**
   * One URL, as it is written; null where it names none. An authority of AMD has
   * `https://kdsintf.amd.com/vcek/v1/{product}/crl`, an ASVK `vlek` in place of `vcek`. Parsing
   * does not compare it; never to be fetched from.
   */
  readonly crlDistributionPoint: string | null;
}

/** An authority. Nothing is verified yet, and no name is compared. */
export interface CaCertificate extends CaExtensions {
  readonly subject: DistinguishedName;
  readonly issuer: DistinguishedName;
  /** Lower-case hexadecimal, such as `010001`. */
  readonly serial: string;
  /** Milliseconds since 1970. */
  readonly notBefore: number;
  /** Milliseconds since 1970. */
  readonly notAfter: number;
  readonly publicKey: RsaPublicKey;
  /** What is signed, encoded. */
  readonly tbs: Uint8Array;
  /** RSASSA-PSS, 512 bytes. */
  readonly signature: Uint8Array;
}

/**
 * Reads the certificate of a root or an intermediate.
 *
 * @throws {AttestationError} `ca-encoding` unless it is an X.509 certificate of version 3 in DER,
 *   signed by RSASSA-PSS in one of the two encodings, for an RSA key of 4096 bits, with exactly the
 *   extensions of a root (no authority key identifier) or of an intermediate.
 */
export function parseCa(der: Uint8Array): CaCertificate {
  return decoding('ca-encoding', 'Certificate of an authority', () =>
    readCa(readCertificate(der, MAX_BYTES)),
  );
}

function readCa(certificate: Certificate): CaCertificate {
  const { subject, issuer, serial, notBefore, notAfter, tbs, signature } = certificate;
  requirePss(certificate.innerAlgorithm, certificate.outerAlgorithm);
  if (serial === '00') throw new DerError('a serial number above zero', 'zero');
  const publicKey = parseRsaPublicKey(certificate.subjectPublicKeyInfo);
  const extensions = readCaExtensions(certificate.extensions);
  return { subject, issuer, serial, notBefore, notAfter, publicKey, tbs, signature, ...extensions };
}

function readCaExtensions(extensions: readonly Extension[]): CaExtensions {
  const set = new ExtensionSet(extensions);
  const intermediate = set.has(ExtensionId.AUTHORITY_KEY_IDENTIFIER);
  takeProfile(set, intermediate ? INTERMEDIATE_PROFILE : ROOT_PROFILE);
  const subjectKeyId = takeSubjectKeyId(set);
  const authorityKeyId = intermediate ? takeAuthorityKeyId(set) : null;
  const crlDistributionPoint = takeDistributionPoint(set);
  set.end();
  return { subjectKeyId, authorityKeyId, crlDistributionPoint };
}
