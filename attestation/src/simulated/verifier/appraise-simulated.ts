/**
 * Appraisal of simulated evidence.
 *
 * @module
 */
import type { SnpPolicy } from '@a3s-box/policies/attestation-policy';
import { type Appraisal, appraiseClaims, type Expected } from '../../appraise/appraise-claims.ts';
import { appraisalOf } from '../../appraise/appraised-report.ts';
import { SimulatedReport } from './simulated-report.ts';

/**
 * Checks a simulated report against a policy, which must say `tee: simulated`.
 *
 * @throws TypeError unless `verifySimulated` made the report.
 */
export function appraiseSimulated(
  report: SimulatedReport,
  policy: SnpPolicy,
  expected: Expected = {},
): Appraisal {
  if (!SimulatedReport.is(report)) {
    throw new TypeError('Cannot appraise: the report must be one that verifySimulated() gave.');
  }
  return appraisalOf(report, appraiseClaims('simulated', report.claims, policy, expected));
}
