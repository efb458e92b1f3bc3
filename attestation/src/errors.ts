/**
 * The one error class that this package throws at bad input.
 *
 * A caller's own mistake (a wrong type, an impossible option) is a `TypeError` or `RangeError`;
 * everything that depends on untrusted bytes is an {@link AttestationError}.
 *
 * @module
 */
import type { VerifyCode } from './verify/verify-checks.ts';

/** Codes of refusals outside {@link VerifyCode}'s checks. */
export type InputCode =
  // Envelopes
  | 'certificate-table-malformed'
  | 'pem-malformed'
  | 'json-malformed'
  | 'hcl-malformed'
  | 'dstack-malformed'
  | 'report-response-malformed'
  // Measurement
  | 'ovmf-malformed'
  | 'ovmf-no-kernel-hashes'
  | 'measure-input'
  | 'id-block-malformed'
  | 'id-block-signature'
  | 'launch-record-malformed'
  // Endorsements
  | 'kds-unreachable'
  | 'kds-rate-limited'
  | 'kds-not-found'
  | 'kds-response'
  | 'kds-unsupported'
  | 'crl-rollback'
  | 'store-malformed'
  | 'store-unusable'
  // Attestation results
  | 'ear-malformed'
  | 'ear-critical'
  | 'ear-algorithm'
  | 'ear-signature'
  | 'ear-profile'
  | 'ear-nonce'
  | 'ear-time'
  // The simulated secure processor
  | 'simulated-roots'
  | 'simulated-state'
  | 'simulated-request';

/** Every code of an {@link AttestationError}; each is stable. */
export type AttestationCode = VerifyCode | InputCode;

/** The expected and the found value, and the remedy, where they are known. */
export interface AttestationErrorDetails {
  readonly expected?: string | undefined;
  readonly found?: string | undefined;
  /** One sentence. */
  readonly remedy?: string | undefined;
  readonly cause?: unknown;
}

/** Untrusted input was refused: `code` is stable, `message` is for people. */
export class AttestationError extends Error {
  override readonly name = 'AttestationError';
  readonly code: AttestationCode;
  readonly expected: string | undefined;
  readonly found: string | undefined;
  readonly remedy: string | undefined;

  constructor(code: AttestationCode, message: string, details: AttestationErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.expected = details.expected;
    this.found = details.found;
    this.remedy = details.remedy;
  }
}
