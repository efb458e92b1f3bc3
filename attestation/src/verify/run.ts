/**
 * One verification with its trace, from the caller's arguments to a result.
 *
 * @module
 */
import type { Evidence } from '../evidence.ts';
import type { TrustAnchors } from '../roots/anchors.ts';
import { fixOptions, type VerifyOptions } from './options.ts';
import type { Verification } from './signature.ts';
import { isRefusal, Trace, VerificationError } from './trace.ts';
import { fixEvidence, verification } from './verification.ts';
import type { Claims } from './verified-claims.ts';
import type { VerifyCheck } from './verify-checks.ts';

export interface Outcome {
  readonly claims: Claims;
  readonly checks: readonly VerifyCheck[];
}

/** Verifies, and turns a refusal into a {@link VerificationError} that lists every check. */
export function* tracedVerification(
  evidence: Evidence,
  anchors: TrustAnchors,
  options: VerifyOptions,
): Verification<Outcome> {
  const trace = new Trace();
  const fixed = fixOptions(options);
  try {
    const claims = yield* verification(fixEvidence(evidence), anchors, fixed, trace);
    return { claims, checks: trace.passed() };
  } catch (error) {
    throw isRefusal(error) ? new VerificationError(error, trace.failed(error)) : error;
  }
}
