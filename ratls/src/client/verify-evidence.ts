/**
 * Verification of evidence, real or simulated, each by its own verifier.
 *
 * @module
 */
import {
  type Appraisal,
  AttestationError,
  appraise,
  type Claims,
  type Evidence,
  evidenceFromCertificateTable,
  parseCertificateTable,
  type VerifyCheck,
  type VerifyOptions,
  verify,
} from '@a3s-box/attestation';
import { type EarSubmod, earSubmod } from '@a3s-box/attestation/ear';
import {
  appraiseSimulated,
  simulatedEarSubmod,
  simulatedRootsOf,
  verifySimulated,
} from '@a3s-box/attestation/simulated';
import type { Tee } from '../certificate/evidence-extension.ts';
import type { RatlsCheckCode } from '../checks.ts';
import { RatlsError } from '../errors.ts';
import type { TrustOptions } from './options.ts';

/** A report with its certificate table; both are a peer's unverified claims. */
export interface CarriedEvidence {
  readonly tee: Tee;
  readonly report: Uint8Array;
  readonly certificates: Uint8Array;
}

/** Evidence whose signatures hold. */
export interface Verified {
  readonly claims: Claims;
  readonly checks: readonly VerifyCheck[];
  /** Complete, as it was verified. */
  readonly evidence: Evidence;
  readonly crl: Uint8Array | undefined;
  appraise(reportData: Uint8Array): Appraisal;
  /** What an attestation result says of it; `key` is the one that REPORT_DATA binds. */
  submod(appraisal: Appraisal, key: Uint8Array): EarSubmod;
}

/**
 * Verifies evidence of the kind that the policy asks for.
 *
 * @throws {RatlsError} of the check `code`
 */
export async function verifyEvidence(
  code: RatlsCheckCode,
  carried: CarriedEvidence,
  trust: TrustOptions,
): Promise<Verified> {
  try {
    const { evidence, crl, crlObtainedAt } = await complete(carried, trust);
    const options = { now: trust.now?.() ?? new Date(), crl, crlObtainedAt };
    return carried.tee === 'simulated'
      ? simulated(evidence, trust, options)
      : genuine(evidence, trust, options);
  } catch (cause) {
    if (!(cause instanceof AttestationError)) throw cause;
    const { message, expected, found, remedy } = cause;
    const details = { expected, found: found ?? cause.code, remedy, cause };
    throw new RatlsError(code, `Cannot believe the evidence (${cause.code}): ${message}`, details);
  }
}

async function complete({ tee, report, certificates }: CarriedEvidence, trust: TrustOptions) {
  const evidence = evidenceFromCertificateTable(report, certificates);
  const { crl, crlObtainedAt } = trust;
  const asks = tee === 'sev-snp' && trust.complete !== undefined;
  const completed = asks ? await trust.complete(evidence) : { evidence };
  if (crl !== undefined) return { evidence: completed.evidence, crl, crlObtainedAt };
  if (completed.crl !== undefined) return completed;
  // The age of the peer's list is unknown: the caller did not record when it was got.
  return { evidence: completed.evidence, crl: parseCertificateTable(certificates).crl };
}

function genuine(evidence: Evidence, { policy }: TrustOptions, options: VerifyOptions): Verified {
  const report = verify(evidence, options);
  const { claims, checks } = report;
  return {
    claims,
    checks,
    evidence,
    crl: options.crl,
    appraise: (reportData) => appraise(report, policy, { reportData }),
    submod: (appraisal, key) => earSubmod(report, appraisal, { key }),
  };
}

function simulated(
  evidence: Evidence,
  { policy, simulatedRoots }: TrustOptions,
  options: VerifyOptions,
): Verified {
  const roots = simulatedRoots ?? simulatedRootsOf(evidence);
  const report = verifySimulated(evidence, roots, options);
  const { claims, checks } = report;
  return {
    claims,
    checks,
    evidence,
    crl: options.crl,
    appraise: (reportData) => appraiseSimulated(report, policy, { reportData }),
    submod: (appraisal, key) => simulatedEarSubmod(report, appraisal, { key }),
  };
}
