/**
 * Verifies the evidence of guests: hardware's by AMD's keys, and a simulation's by the roots that
 * the configuration names. No evidence passes both.
 *
 * @module
 */
import {
  type Appraisal,
  AttestationError,
  appraise,
  type Evidence,
  type VerifiedReport,
  verify,
} from '@a3s-box/attestation';
import type { Endorsements } from '@a3s-box/attestation/endorsements';
import {
  appraiseSimulated,
  type SimulatedReport,
  type SimulatedRoots,
  verifySimulated,
} from '@a3s-box/attestation/simulated';
import type { SnpPolicy } from '@a3s-box/policies/attestation-policy';

/** What KBS calls them; `snp` is Trustee's name, and Trustee has no such simulation. */
export const TEES = ['snp', 'a3s-simulated'] as const;
export type Tee = (typeof TEES)[number];

export interface SimulatedTrust {
  readonly roots: SimulatedRoots;
  readonly crl?: Uint8Array | undefined;
  readonly crlObtainedAt?: Date | undefined;
}

export interface EvidenceTrust {
  readonly endorsements: Endorsements;
  /** Absent: simulated evidence is refused, whatever a policy says. */
  readonly simulated?: SimulatedTrust | undefined;
}

/** Evidence that is verified; whether it suffices, a policy decides. */
export type VerifiedEvidence =
  | { readonly tee: 'snp'; readonly report: VerifiedReport }
  | { readonly tee: 'a3s-simulated'; readonly report: SimulatedReport };

/** @throws AttestationError with the check that failed */
export async function verifyEvidence(
  tee: Tee,
  evidence: Evidence,
  trust: EvidenceTrust,
  now: Date,
): Promise<VerifiedEvidence> {
  if (tee === 'snp') {
    const { evidence: complete, ...revocation } = await completed(evidence, trust, now);
    return { tee, report: verify(complete, { now, ...revocation }) };
  }
  const { simulated } = trust;
  if (simulated === undefined) {
    throw new AttestationError('simulated-roots', 'This broker trusts no simulated processor.');
  }
  const { roots, crl, crlObtainedAt } = simulated;
  return { tee, report: verifySimulated(evidence, roots, { now, crl, crlObtainedAt }) };
}

/**
 * Names the launched guest that evidence is of, by REPORT_ID, which the processor draws anew for
 * each launch.
 */
export function launchOf({ tee, report }: VerifiedEvidence): string {
  return `${tee}/${report.claims.reportId}`;
}

/** Every check runs, whichever fail. */
export function appraiseEvidence(
  { tee, report }: VerifiedEvidence,
  policy: SnpPolicy,
  reportData: Uint8Array,
): Appraisal {
  return tee === 'snp'
    ? appraise(report, policy, { reportData })
    : appraiseSimulated(report, policy, { reportData });
}

/** Without a revocation list where there is none: then the policy decides. */
async function completed(evidence: Evidence, { endorsements }: EvidenceTrust, now: Date) {
  try {
    return await endorsements.complete(evidence, { now });
  } catch (error) {
    const absent = ['kds-unreachable', 'kds-rate-limited', 'kds-unsupported'];
    if (!(error instanceof AttestationError) || !absent.includes(error.code)) throw error;
    return await endorsements.complete(evidence, { now, revocation: false });
  }
}
