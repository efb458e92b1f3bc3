/**
 * Certificates that a guest makes, and invalid variants of them.
 *
 * @module
 */
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { concat } from '../../attestation/src/der/bytes.ts';
import {
  bitString,
  boolean,
  explicit,
  integer,
  octetString,
  oid,
  sequence,
  set,
  time,
  utf8String,
} from '../../attestation/src/der/writer.ts';
import {
  type CertificateClaims,
  encodeClaims,
  pubkeyHashOf,
} from '../../ratls/src/certificate/claims.ts';
import { EVIDENCE_OIDS, encodeEvidence } from '../../ratls/src/certificate/evidence-extension.ts';
import { LAUNCH, processor } from './processor.ts';

const ECDSA_SHA_384 = sequence(oid('1.2.840.10045.4.3.3'));
const COMMON_NAME = '2.5.4.3';
const LAST_MOMENT = Date.UTC(9999, 11, 31, 23, 59, 59);

export interface KeyPair {
  readonly privateKey: KeyObject;
  readonly spki: Uint8Array;
}

export function keyPair(namedCurve = 'secp384r1'): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve });
  return { privateKey, spki: publicKey.export({ format: 'der', type: 'spki' }) };
}

/** The instance, and the digest that the guest of the vectors was launched with. */
const INSTANCE = Uint8Array.from({ length: 16 }, (_, index) => 0x10 + index);
const SPEC_DIGEST = LAUNCH.hostData ?? new Uint8Array(32);

/** One extension, encoded. */
export function extension(id: string, value: Uint8Array, critical = false): Uint8Array {
  return sequence(oid(id), ...(critical ? [boolean(true)] : []), octetString(value));
}

/** What a certificate is made of; each part can be replaced. */
export interface CertificateParts {
  readonly key?: KeyPair;
  readonly signer?: KeyPair;
  readonly claims?: (spki: Uint8Array) => CertificateClaims;
  /** Claims, encoded, when they are no longer what they should be. */
  readonly buffer?: (good: Uint8Array) => Uint8Array;
  /** What the report is asked over. */
  readonly reported?: (buffer: Uint8Array) => Uint8Array;
  readonly report?: (good: Uint8Array) => Uint8Array;
  readonly value?: (good: Uint8Array) => Uint8Array;
  readonly extensions?: (value: Uint8Array) => readonly Uint8Array[];
  readonly tbs?: (good: Uint8Array) => Uint8Array;
}

const usual = (value: Uint8Array) => [extension(EVIDENCE_OIDS.simulated, value)];

/** A certificate that signs itself, with evidence of the guest of the vectors. */
export function makeCertificate(parts: CertificateParts = {}): Uint8Array {
  const same = (bytes: Uint8Array) => bytes;
  const key = parts.key ?? keyPair();
  const { spki } = key;
  const claims = (parts.claims ?? claimsFor)(spki);
  const buffer = (parts.buffer ?? same)(encodeClaims(claims));
  const report = (parts.report ?? same)(extendedReport((parts.reported ?? same)(buffer)));
  const value = (parts.value ?? same)(encodeEvidence({ ...split(report), claims: buffer }));
  const tbs = (parts.tbs ?? same)(toBeSigned(spki, (parts.extensions ?? usual)(value)));
  const signature = sign('sha384', tbs, (parts.signer ?? key).privateKey);
  return sequence(tbs, ECDSA_SHA_384, bitString(signature));
}

export function claimsFor(spki: Uint8Array): CertificateClaims {
  return { pubkeyHash: pubkeyHashOf(spki), instance: INSTANCE, specDigest: SPEC_DIGEST };
}

function extendedReport(buffer: Uint8Array): Uint8Array {
  const reportData = new Uint8Array(64);
  reportData.set(createHash('sha256').update(buffer).digest());
  const { report, certificateTable } = processor().launch(LAUNCH).report({ reportData });
  return concat([report, certificateTable]);
}

function toBeSigned(spki: Uint8Array, extensions: readonly Uint8Array[]): Uint8Array {
  const name = sequence(set(sequence(oid(COMMON_NAME), utf8String('a3s-box'))));
  return sequence(
    explicit(0, integer(2)),
    integer(1),
    ECDSA_SHA_384,
    name,
    sequence(time(0), time(LAST_MOMENT)),
    name,
    spki,
    ...(extensions.length === 0 ? [] : [explicit(3, sequence(...extensions))]),
  );
}

function split(extendedReport: Uint8Array) {
  return { report: extendedReport.subarray(0, 1184), certificates: extendedReport.subarray(1184) };
}
