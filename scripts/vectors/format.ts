/**
 * The format of test vectors and of their files, which `test/vectors/README.md` describes.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import type { AppraisalCode } from '../../attestation/src/appraise/appraisal-checks.ts';
import type { Evidence } from '../../attestation/src/evidence.ts';
import type { VerifyCode } from '../../attestation/src/verify/verify-checks.ts';

/** A report, and what a parser must say to it. */
export interface ReportVector {
  readonly name: string;
  readonly comment: string;
  readonly report: Uint8Array;
  readonly expected: 'accepted' | VerifyCode;
}

/** Evidence, and what verification and appraisal must say to it. */
export interface EvidenceVector {
  readonly name: string;
  readonly comment: string;
  readonly evidence: Evidence;
  readonly crl?: Uint8Array | undefined;
  readonly crlObtainedAt?: string | undefined;
  /** The time of the vectors where it is not given. */
  readonly now?: string;
  /** A policy document. */
  readonly policy?: Readonly<Record<string, unknown>>;
  /** What the relying party expects, 64 bytes. */
  readonly reportData?: Uint8Array | undefined;
  /** Digest of the launch spec that `reportData` is over, where libkrun launched the guest. */
  readonly specDigest?: string | undefined;
  readonly expected: {
    readonly verify: 'accepted' | VerifyCode;
    /** Every check that fails, in the order of the list. */
    readonly appraise?: 'accepted' | readonly AppraisalCode[];
  };
}

/** The text of a launch spec, or what looks like one, and what its readers must say to it. */
export interface LaunchSpecVector {
  readonly name: string;
  readonly comment: string;
  readonly text: Uint8Array;
  readonly expected: 'accepted' | 'launch-spec-malformed';
}

/** When all is valid. */
export const NOW = '2026-06-01T00:00:00Z';

export function reportDocument({ name, comment, report, expected }: ReportVector): object {
  return { name, comment, report: base64(report), expected };
}

export function launchSpecDocument(vector: LaunchSpecVector): object {
  const { name, comment, text, expected } = vector;
  const digest = createHash('sha256').update(text).digest('hex');
  return { name, comment, text: base64(text), digest, expected };
}

export function evidenceDocument(vector: EvidenceVector): object {
  const { name, comment, evidence, crl, crlObtainedAt, now, policy, expected } = vector;
  const { reportData, specDigest } = vector;
  const { report, vek, authorities } = evidence;
  return {
    name,
    comment,
    evidence: {
      report: base64(report),
      ...(vek === undefined ? {} : { vek: base64(vek) }),
      ...(authorities === undefined ? {} : { authorities: authorities.map(base64) }),
    },
    ...(crl === undefined ? {} : { crl: base64(crl) }),
    ...(crlObtainedAt === undefined ? {} : { crlObtainedAt }),
    now: now ?? NOW,
    ...(policy === undefined ? {} : { policy }),
    ...(reportData === undefined ? {} : { reportData: Buffer.from(reportData).toString('hex') }),
    ...(specDigest === undefined ? {} : { specDigest }),
    expected,
  };
}

function base64(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString('base64');
}
