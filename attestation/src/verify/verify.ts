/**
 * Verification on Node.
 *
 * @module
 */

import type { Evidence } from '../evidence.ts';
import { AMD_ANCHORS } from '../roots/amd.ts';
import { answerNow } from './node-signatures.ts';
import type { VerifyOptions } from './options.ts';
import { tracedVerification } from './run.ts';
import { admit, type VerifiedReport } from './verified-report.ts';

/**
 * Verifies evidence of SEV-SNP hardware against AMD's keys, which are pinned in this package.
 *
 * Pure: the same arguments give the same answer. There is no parameter for roots.
 *
 * @throws VerificationError with the code of the first check that failed, and with all checks.
 * @throws TypeError if an argument is of the wrong type, which no evidence can cause.
 */
export function verify(evidence: Evidence, options: VerifyOptions): VerifiedReport {
  const { claims, checks } = answerNow(tracedVerification(evidence, AMD_ANCHORS, options));
  return admit(claims, checks);
}
