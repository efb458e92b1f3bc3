/**
 * Verification of simulated evidence.
 *
 * @module
 */
import type { Evidence } from '../../evidence.ts';
import { answerNow } from '../../verify/node-signatures.ts';
import type { VerifyOptions } from '../../verify/options.ts';
import { tracedVerification } from '../../verify/run.ts';
import { anchorsOf, type SimulatedRoots } from './roots.ts';
import { admitSimulated, type SimulatedReport } from './simulated-report.ts';

/**
 * Verifies evidence of the simulated secure processor whose roots these are.
 *
 * The checks and codes are those of `verify`, but no evidence passes both: the roots, the names in
 * the certificates and the type of the result are others.
 *
 * @throws VerificationError with the code of the first check that failed, and with all checks.
 */
export function verifySimulated(
  evidence: Evidence,
  roots: SimulatedRoots,
  options: VerifyOptions,
): SimulatedReport {
  const anchors = anchorsOf(roots);
  const { claims, checks } = answerNow(tracedVerification(evidence, anchors, options));
  return admitSimulated(claims, checks);
}
