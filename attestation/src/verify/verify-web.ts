/**
 * Verification in a browser.
 *
 * @module
 */

import type { Evidence } from '../evidence.ts';
import { AMD_ANCHORS } from '../roots/amd.ts';
import type { VerifyOptions } from './options.ts';
import { tracedVerification } from './run.ts';
import { admit, type VerifiedReport } from './verified-report.ts';
import { answerLater } from './web-signatures.ts';

/**
 * Verifies evidence of SEV-SNP hardware against AMD's keys with WebCrypto alone.
 *
 * The same checks in the same order as on Node, and the same errors: it rejects where `verify`
 * of the main entry throws.
 */
export async function verify(evidence: Evidence, options: VerifyOptions): Promise<VerifiedReport> {
  const { claims, checks } = await answerLater(tracedVerification(evidence, AMD_ANCHORS, options));
  return admit(claims, checks);
}
