/**
 * Builds certificates and revocation lists in AMD's profile, for stand-ins of AMD: the simulated
 * secure processor, and tests.
 *
 * Each builder returns the bytes to be signed; {@link assemble} adds the signature. A value that no
 * certificate can hold is the caller's mistake: a `RangeError` or `TypeError`.
 *
 * @module
 */
import { bitString, explicit, integer, sequence, time } from '../der/writer.ts';
import { pssAlgorithm } from './algorithms.ts';
import {
  encodeAuthorityKeyId,
  encodeDistributionPoint,
  encodeSubjectKeyId,
  INTERMEDIATE_PROFILE,
  ROOT_PROFILE,
} from './authority-extensions.ts';
import type { CaExtensions } from './ca.ts';
import { type Extension, ExtensionId, encodeExtensions } from './extensions.ts';
import { hexBytes } from './hex-bytes.ts';
import {
  type EcPublicKey,
  ecSubjectPublicKeyInfo,
  type RsaPublicKey,
  rsaSubjectPublicKeyInfo,
} from './keys.ts';
import { encodeName, type NameFields } from './name.ts';
import { type VekIdentity, vekExtensions } from './vek-extensions.ts';

/** The fields of every certificate. */
export interface CertificateFields {
  readonly issuer: NameFields;
  readonly subject: NameFields;
  /** Hexadecimal, such as `010001`. */
  readonly serial: string;
  /** Milliseconds since 1970; fractions of a second are dropped. */
  readonly notBefore: number;
  /** Milliseconds since 1970, of which only whole seconds count. */
  readonly notAfter: number;
  /** The encoding of the algorithm, as {@link pssAlgorithm} has it; false where absent. */
  readonly trailerField?: boolean;
}

/** A VCEK or VLEK; which of them, `hwid` and `cspId` say. */
export interface VekFields extends CertificateFields, Omit<VekIdentity, 'kind'> {
  readonly publicKey: EcPublicKey;
}

/** A root, where `authorityKeyId` is null, or an intermediate. */
export interface CaFields extends CertificateFields, CaExtensions {
  readonly publicKey: RsaPublicKey;
}

/** A revocation list. */
export interface CrlFields {
  readonly issuer: NameFields;
  readonly number: bigint;
  /** Milliseconds since 1970, of which only whole seconds count. */
  readonly thisUpdate: number;
  /** Milliseconds since 1970, of which only whole seconds count. */
  readonly nextUpdate: number;
  /** Serial number in hexadecimal → milliseconds since 1970. */
  readonly revoked: ReadonlyMap<string, number>;
  /** 20 bytes in hexadecimal: the root's `subjectKeyId`. */
  readonly authorityKeyId: string;
  /** The encoding of the algorithm, as {@link pssAlgorithm} has it; false where absent. */
  readonly trailerField?: boolean;
}

/** TBSCertificate of an endorsement key. */
export function buildVekTbs(fields: VekFields): Uint8Array {
  return buildCertificateTbs(
    fields,
    ecSubjectPublicKeyInfo(fields.publicKey),
    vekExtensions(fields),
  );
}

/** TBSCertificate of an authority. */
export function buildCaTbs(fields: CaFields): Uint8Array {
  return buildCertificateTbs(
    fields,
    rsaSubjectPublicKeyInfo(fields.publicKey),
    caExtensions(fields),
  );
}

/**
 * TBSCertificate with any key and extensions, for certificates that {@link buildVekTbs} would not
 * make.
 */
export function buildCertificateTbs(
  fields: CertificateFields,
  subjectPublicKeyInfo: Uint8Array,
  extensions: readonly Extension[],
): Uint8Array {
  return sequence(
    explicit(0, integer(2)),
    integer(hexBytes(fields.serial)),
    pssAlgorithm(fields.trailerField ?? false),
    encodeName(fields.issuer),
    sequence(time(fields.notBefore), time(fields.notAfter)),
    encodeName(fields.subject),
    subjectPublicKeyInfo,
    ...(extensions.length === 0 ? [] : [explicit(3, encodeExtensions(extensions))]),
  );
}

/** TBSCertList. */
export function buildCrlTbs(fields: CrlFields): Uint8Array {
  const { AUTHORITY_KEY_IDENTIFIER, CRL_NUMBER } = ExtensionId;
  const authorityKeyId = encodeAuthorityKeyId(hexBytes(fields.authorityKeyId));
  const entries = [...fields.revoked].map(([serial, at]) =>
    sequence(integer(hexBytes(serial)), time(at)),
  );
  return sequence(
    integer(1),
    pssAlgorithm(fields.trailerField ?? false),
    encodeName(fields.issuer),
    time(fields.thisUpdate),
    time(fields.nextUpdate),
    ...(entries.length === 0 ? [] : [sequence(...entries)]),
    explicit(
      0,
      encodeExtensions([
        { id: AUTHORITY_KEY_IDENTIFIER, critical: false, value: authorityKeyId },
        { id: CRL_NUMBER, critical: false, value: integer(fields.number) },
      ]),
    ),
  );
}

/**
 * The certificate or list.
 *
 * @param tbs what is signed, from one of the builders.
 * @param signature RSASSA-PSS, 512 bytes.
 * @param trailerField as the builder was given.
 */
export function assemble(tbs: Uint8Array, signature: Uint8Array, trailerField = false): Uint8Array {
  return sequence(tbs, pssAlgorithm(trailerField), bitString(signature));
}

function caExtensions(fields: CaFields): readonly Extension[] {
  const { subjectKeyId, authorityKeyId, crlDistributionPoint } = fields;
  const { basicConstraints, keyUsage } =
    authorityKeyId === null ? ROOT_PROFILE : INTERMEDIATE_PROFILE;
  const extensions: Extension[] = [];
  const add = (id: string, critical: boolean, value: Uint8Array) =>
    extensions.push({ id, critical, value });
  add(ExtensionId.SUBJECT_KEY_IDENTIFIER, false, encodeSubjectKeyId(hexBytes(subjectKeyId)));
  if (authorityKeyId !== null) {
    add(
      ExtensionId.AUTHORITY_KEY_IDENTIFIER,
      false,
      encodeAuthorityKeyId(hexBytes(authorityKeyId)),
    );
  }
  add(ExtensionId.BASIC_CONSTRAINTS, true, basicConstraints);
  add(ExtensionId.KEY_USAGE, true, keyUsage);
  if (crlDistributionPoint !== null) {
    add(ExtensionId.CRL_DISTRIBUTION_POINTS, false, encodeDistributionPoint(crlDistributionPoint));
  }
  return extensions;
}
