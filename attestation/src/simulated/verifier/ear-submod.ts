/**
 * What an attestation result says of simulated evidence.
 *
 * @module
 */
import type { Appraisal } from '../../appraise/appraisal-checks.ts';
import { demandAppraisalOf } from '../../appraise/appraised-report.ts';
import type { EarSubmod } from '../../ear/ear.ts';
import { type SubmodDetails, simulatedSubmod } from '../../ear/submod.ts';
import { SimulatedReport } from './simulated-report.ts';

/**
 * Contraindicated, whatever the appraisal says: nothing of a simulated guest is affirmed.
 *
 * @throws TypeError unless `verifySimulated` made the report, and `appraiseSimulated` the appraisal
 * @throws RangeError for an appraisal of another report, or a key where no check of REPORT_DATA has
 *   passed
 */
export function simulatedEarSubmod(
  report: SimulatedReport,
  appraisal: Appraisal,
  details: SubmodDetails = {},
): EarSubmod {
  if (!SimulatedReport.is(report)) {
    throw new TypeError('Cannot issue: the report must be one that verifySimulated() gave.');
  }
  demandAppraisalOf(report, appraisal);
  return simulatedSubmod(appraisal, report.claims, details);
}
