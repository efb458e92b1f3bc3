/**
 * A peer's certificate, read: its key, and the evidence that it carries.
 *
 * Nothing of it is trusted. The answer to a challenge, in the session that this key opened, decides
 * about trust.
 *
 * @module
 */
import { X509Certificate } from 'node:crypto';
import {
  DerError,
  ExtensionSet,
  parseEcPublicKey,
  readForeignCertificate,
} from '@a3s-box/attestation/x509';
import type { RatlsCheckCode } from '../checks.ts';
import { RatlsError } from '../errors.ts';
import { CborError } from './cbor.ts';
import { type CertificateClaims, claimsReportData, decodeClaims, pubkeyHashOf } from './claims.ts';
import { decodeEvidence, EVIDENCE_OIDS, type Tee } from './evidence-extension.ts';

/** Above what a report with a full certificate table needs. */
const MAX_CERTIFICATE_SIZE = 96 * 1024;

const REPORT_DATA_OFFSET = 0x50;
const REPORT_DATA_END = 0x90;

/** RFC 5280's extensions that may be critical. */
const KEY_USAGE = '2.5.29.15';
const BASIC_CONSTRAINTS = '2.5.29.19';

export interface PeerCertificate {
  readonly tee: Tee;
  /** SubjectPublicKeyInfo, encoded. */
  readonly spki: Uint8Array;
  readonly claims: CertificateClaims;
  readonly report: Uint8Array;
  /** The table that came along; empty where none did. */
  readonly certificates: Uint8Array;
}

/** The key and the extension of a certificate that signed itself. */
export interface OpenedCertificate {
  readonly spki: Uint8Array;
  readonly evidence: ReadonlyMap<Tee, Uint8Array>;
}

/**
 * Reads a certificate, without trusting it.
 *
 * @throws {RatlsError} `certificate-encoding`, `certificate-signature`
 */
export function openPeerCertificate(der: Uint8Array): OpenedCertificate {
  const opened = reading('certificate-encoding', () => open(der));
  if (!signedByItself(der)) {
    throw refused('certificate-signature', 'it is not signed by its own key');
  }
  return opened;
}

export interface PeerEvidenceOptions {
  /** REPORT_DATA for a claims-buffer, where the peer got it from another party. */
  readonly reportData?: (buffer: Uint8Array, claims: CertificateClaims) => Uint8Array;
}

/**
 * The evidence of that kind in a certificate, over its own key.
 *
 * @throws {RatlsError} `certificate-tee`, `certificate-evidence`, `certificate-key`,
 * `certificate-report-data`
 */
export function peerEvidence(
  { spki, evidence }: OpenedCertificate,
  tee: Tee,
  { reportData: expected = claimsReportData }: PeerEvidenceOptions = {},
): PeerCertificate {
  const value = evidence.get(tee);
  if (value === undefined || evidence.size > 1) {
    const found = [...evidence.keys()].join(' and ') || 'none';
    throw refused('certificate-tee', 'it has other evidence', { expected: tee, found });
  }
  const carried = reading('certificate-evidence', () => decodeEvidence(value));
  const { report, certificates, claims: buffer } = carried;
  const claims = reading('certificate-evidence', () => decodeClaims(buffer));
  requireSame('certificate-key', pubkeyHashOf(spki), claims.pubkeyHash);
  const reportData = report.subarray(REPORT_DATA_OFFSET, REPORT_DATA_END);
  requireSame('certificate-report-data', expected(buffer, claims), reportData);
  return { tee, spki, claims, report, certificates };
}

function open(der: Uint8Array): OpenedCertificate {
  const certificate = readForeignCertificate(der, MAX_CERTIFICATE_SIZE);
  const { subjectPublicKeyInfo: spki, extensions } = certificate;
  parseEcPublicKey(spki);
  const set = new ExtensionSet(extensions);
  const evidence = new Map<Tee, Uint8Array>();
  for (const [tee, id] of Object.entries(EVIDENCE_OIDS) as [Tee, string][]) {
    if (set.has(id)) evidence.set(tee, set.take(id, false));
  }
  for (const { id, critical } of extensions) {
    if (critical && id !== KEY_USAGE && id !== BASIC_CONSTRAINTS) {
      throw new DerError('no critical extension that is not known', id);
    }
  }
  return { spki, evidence };
}

function signedByItself(der: Uint8Array): boolean {
  try {
    const certificate = new X509Certificate(der);
    return certificate.verify(certificate.publicKey);
  } catch {
    return false;
  }
}

function requireSame(code: RatlsCheckCode, expected: Uint8Array, found: Uint8Array): void {
  if (Buffer.from(found).equals(expected)) return;
  const reason =
    code === 'certificate-key'
      ? 'its claims are of another key'
      : 'its report is over other claims';
  throw refused(code, reason, { expected: hex(expected), found: hex(found) });
}

/** A reader's refusal fails this check; any other error is a bug. */
function reading<T>(code: RatlsCheckCode, read: () => T): T {
  try {
    return read();
  } catch (cause) {
    if (!(cause instanceof DerError || cause instanceof CborError)) throw cause;
    const { expected, found } = cause;
    throw refused(code, 'it cannot be read', { expected, found, cause });
  }
}

function refused(code: RatlsCheckCode, reason: string, details: object = {}): RatlsError {
  return new RatlsError(code, `Cannot accept the peer's certificate: ${reason}.`, {
    remedy: "Ask the box's operator what listens at this address.",
    ...details,
  });
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex');
