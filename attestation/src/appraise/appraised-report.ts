/**
 * Which report an appraisal is of.
 *
 * @module
 */
import type { Appraisal } from './appraisal-checks.ts';

const REPORTS = new WeakMap<Appraisal, object>();

/** Notes the report of an appraisal, which is frozen; gives the appraisal. */
export function appraisalOf(report: object, appraisal: Appraisal): Appraisal {
  REPORTS.set(appraisal, report);
  return appraisal;
}

/**
 * @throws TypeError for an appraisal that was not made here
 * @throws RangeError for one of another report
 */
export function demandAppraisalOf(report: object, appraisal: Appraisal): void {
  const appraised = REPORTS.get(appraisal);
  if (appraised === undefined) {
    throw new TypeError('Cannot issue: the appraisal must be one that appraise() gave.');
  }
  if (appraised !== report) {
    throw new RangeError('Cannot issue: the appraisal is one of another report.');
  }
}
