/**
 * Appraisal: decides whether verified evidence satisfies a policy.
 *
 * @module
 */
import type { SnpPolicy } from '@a3s-box/policies/attestation-policy';
import { VerifiedReport } from '../verify/verified-report.ts';
import { type Appraisal, appraiseClaims, type Expected } from './appraise-claims.ts';
import { appraisalOf } from './appraised-report.ts';

/**
 * Checks a verified report against a policy. Every check runs, whichever fail.
 *
 * @throws TypeError unless `verify` made the report, which no evidence can cause.
 */
export function appraise(
  verified: VerifiedReport,
  policy: SnpPolicy,
  expected: Expected = {},
): Appraisal {
  if (!VerifiedReport.is(verified)) {
    throw new TypeError('Cannot appraise: the report must be one that verify() gave.');
  }
  return appraisalOf(verified, appraiseClaims('sev-snp', verified.claims, policy, expected));
}
