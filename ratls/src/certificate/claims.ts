/**
 * Claims of a certificate: whose key, which instance and which launch spec. REPORT_DATA of the
 * report beside them is their SHA-256.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { INSTANCE_SIZE, REPORT_DATA_SIZE, SPEC_DIGEST_SIZE } from '../binding/report-data.ts';
import { array, bytes, CborError, CborReader, map, unsigned } from './cbor.ts';

/** Named Information Hash Algorithm (RFC 6920): sha-384. */
const SHA_384 = 7;
const SHA_384_SIZE = 48;

const PUBKEY_HASH = 'pubkey-hash';
const INSTANCE = 'a3s-instance';
const SPEC_DIGEST = 'a3s-spec-digest';

export interface CertificateClaims {
  /** SHA-384 of SubjectPublicKeyInfo. */
  readonly pubkeyHash: Uint8Array;
  /** 16 bytes. */
  readonly instance: Uint8Array;
  /** SHA-256 of the launch spec. */
  readonly specDigest: Uint8Array;
}

/** SHA-384 of a SubjectPublicKeyInfo, as claims have it. */
export function pubkeyHashOf(spki: Uint8Array): Uint8Array {
  return createHash('sha384').update(spki).digest();
}

/** The claims-buffer. */
export function encodeClaims({ pubkeyHash, instance, specDigest }: CertificateClaims): Uint8Array {
  return map(
    [PUBKEY_HASH, bytes(array(unsigned(SHA_384), bytes(pubkeyHash)))],
    [INSTANCE, bytes(instance)],
    [SPEC_DIGEST, bytes(specDigest)],
  );
}

/**
 * Reads a claims-buffer: these three claims in this order, and nothing else.
 *
 * @throws {CborError} for any other bytes
 */
export function decodeClaims(buffer: Uint8Array): CertificateClaims {
  const reader = new CborReader(buffer);
  reader.map(3);
  reader.key(PUBKEY_HASH);
  const pubkeyHash = decodeHash(reader.bytes());
  reader.key(INSTANCE);
  const instance = ofSize(INSTANCE, reader.bytes(), INSTANCE_SIZE);
  reader.key(SPEC_DIGEST);
  const specDigest = ofSize(SPEC_DIGEST, reader.bytes(), SPEC_DIGEST_SIZE);
  reader.end();
  return { pubkeyHash, instance, specDigest };
}

/** REPORT_DATA of the report beside a claims-buffer: its SHA-256, then zeros. */
export function claimsReportData(buffer: Uint8Array): Uint8Array {
  const reportData = new Uint8Array(REPORT_DATA_SIZE);
  reportData.set(createHash('sha256').update(buffer).digest());
  return reportData;
}

function decodeHash(encoded: Uint8Array): Uint8Array {
  const reader = new CborReader(encoded);
  reader.array(2);
  const algorithm = reader.unsigned();
  if (algorithm !== SHA_384) throw new CborError(`hash algorithm ${SHA_384}`, `${algorithm}`);
  const hash = ofSize(PUBKEY_HASH, reader.bytes(), SHA_384_SIZE);
  reader.end();
  return hash;
}

function ofSize(name: string, value: Uint8Array, size: number): Uint8Array {
  if (value.length !== size) throw new CborError(`${name} of ${size} bytes`, `${value.length}`);
  return value;
}
