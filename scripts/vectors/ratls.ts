/**
 * Vectors of RA-TLS: certificates, and a verifier's decision on each before the session is
 * challenged.
 *
 * @module
 */
import { concat } from '../../attestation/src/der/bytes.ts';
import { sequence } from '../../attestation/src/der/writer.ts';
import { encodeClaims } from '../../ratls/src/certificate/claims.ts';
import { EVIDENCE_OIDS } from '../../ratls/src/certificate/evidence-extension.ts';
import { openPeerCertificate, peerEvidence } from '../../ratls/src/certificate/peer-certificate.ts';
import { RatlsError } from '../../ratls/src/errors.ts';
import {
  type CertificateParts,
  claimsFor,
  extension,
  keyPair,
  makeCertificate,
} from './ratls-certificate.ts';

/** A certificate, and what a verifier that expects simulated evidence says to it. */
export interface RatlsVector {
  readonly name: string;
  readonly comment: string;
  readonly certificate: Uint8Array;
  readonly expected: string;
}

type Case = readonly [name: string, expected: string, comment: string, parts: CertificateParts];

const { simulated: SIMULATED, 'sev-snp': HARDWARE } = EVIDENCE_OIDS;
const KEY_USAGE = extension('2.5.29.15', Uint8Array.of(0x03, 0x02, 0x07, 0x80), true);
const CONSTRAINTS = extension('2.5.29.19', sequence(), true);
const UNKNOWN = '1.3.6.1.4.1.99999.1';

const CASES: readonly Case[] = [
  ['good', 'accepted', 'As a guest makes it.', {}],
  [
    'usage',
    'accepted',
    'With the extensions that certificates often have.',
    { extensions: (value) => [KEY_USAGE, CONSTRAINTS, extension(SIMULATED, value)] },
  ],
  [
    'unknown',
    'accepted',
    'With one that nobody has to know.',
    {
      extensions: (value) => [extension(UNKNOWN, Uint8Array.of(5, 0)), extension(SIMULATED, value)],
    },
  ],
  [
    'hardware-oid',
    'certificate-tee',
    'Simulated evidence where that of hardware belongs.',
    { extensions: (value) => [extension(HARDWARE, value)] },
  ],
  [
    'both-oids',
    'certificate-tee',
    'Evidence of two kinds.',
    { extensions: (value) => [extension(HARDWARE, value), extension(SIMULATED, value)] },
  ],
  ['no-evidence', 'certificate-tee', 'No evidence.', { extensions: () => [KEY_USAGE] }],
  ['no-extensions', 'certificate-tee', 'No extension.', { extensions: () => [] }],
  [
    'twice',
    'certificate-encoding',
    'Evidence twice.',
    { extensions: (value) => [extension(SIMULATED, value), extension(SIMULATED, value)] },
  ],
  [
    'critical',
    'certificate-encoding',
    'Evidence marked as critical.',
    { extensions: (value) => [extension(SIMULATED, value, true)] },
  ],
  [
    'unknown-critical',
    'certificate-encoding',
    'A critical extension that is not known.',
    {
      extensions: (value) => [
        extension(UNKNOWN, Uint8Array.of(5, 0), true),
        extension(SIMULATED, value),
      ],
    },
  ],
  ['p256', 'certificate-encoding', 'A key on another curve.', { key: keyPair('prime256v1') }],
  ['signature', 'certificate-signature', 'Signed by another key.', { signer: keyPair() }],
  [
    'another-key',
    'certificate-key',
    'Evidence of another key: replayed.',
    { claims: () => claimsFor(keyPair().spki) },
  ],
  [
    'claims',
    'certificate-report-data',
    'Claims that the report is not over.',
    { reported: () => encodeClaims(claimsFor(keyPair().spki)) },
  ],
  [
    'report-data',
    'certificate-report-data',
    'REPORT_DATA that goes on behind the hash.',
    { report: (report) => flipped(report, 0x8f) },
  ],
  [
    'claims-malformed',
    'certificate-evidence',
    'Claims with a byte behind.',
    { buffer: (buffer) => concat([buffer, Uint8Array.of(0)]) },
  ],
  [
    'report-cut',
    'certificate-evidence',
    'A report of 1183 bytes.',
    { report: (report) => report.subarray(0, 1183) },
  ],
  [
    'without-table',
    'accepted',
    'A report without a certificate table.',
    { report: (report) => report.subarray(0, 1184) },
  ],
  ['tag', 'certificate-evidence', 'The tag of SEV.', { value: (value) => flipped(value, 4) }],
  [
    'trailing',
    'certificate-evidence',
    'A byte behind the evidence.',
    { value: (value) => concat([value, Uint8Array.of(0)]) },
  ],
  [
    'empty-evidence',
    'certificate-evidence',
    'An empty extension.',
    { value: () => new Uint8Array() },
  ],
];

export function ratlsVectors(): readonly RatlsVector[] {
  return CASES.map(([name, expected, comment, parts]) => ({
    name,
    comment,
    certificate: makeCertificate(parts),
    expected,
  }));
}

export function ratlsDocument({ name, comment, certificate, expected }: RatlsVector): object {
  const given = { name, comment, certificate: base64(certificate) };
  if (expected !== 'accepted') return { ...given, expected };
  const { tee, spki, report, certificates, claims } = read(certificate);
  return {
    ...given,
    expected: {
      tee,
      spki: base64(spki),
      report: base64(report),
      certificates: base64(certificates),
      claims: base64(encodeClaims(claims)),
    },
  };
}

/** What is wrong with a vector, in a line each. */
export function checkRatls({ name, certificate, expected }: RatlsVector): string[] {
  const found = outcome(certificate);
  return found === expected ? [] : [`ratls/${name}: expected ${expected}, found ${found}`];
}

function read(certificate: Uint8Array) {
  return peerEvidence(openPeerCertificate(certificate), 'simulated');
}

function outcome(certificate: Uint8Array): string {
  try {
    read(certificate);
    return 'accepted';
  } catch (error) {
    if (error instanceof RatlsError) return error.code;
    throw error;
  }
}

/** The bytes with one changed. */
function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const copy = Uint8Array.from(bytes);
  copy[at] = (copy[at] ?? 0) ^ 1;
  return copy;
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
