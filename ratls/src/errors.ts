/**
 * The one error class that this package throws for a peer's faults.
 *
 * A caller's own mistake is a `TypeError` or `RangeError`.
 *
 * @module
 */
import type { Appraisal } from '@a3s-box/attestation';
import { RATLS_CHECKS, type RatlsCheck, type RatlsCheckCode } from './checks.ts';

/**
 * Refusals by an agent with a code of its own: all that its API's document names. `found` is then
 * the code, which distinguishes an agent's `timeout` and `too-large` from this side's.
 */
export const AGENT_CODES = [
  'envelope-malformed',
  'envelope-version',
  'id-key-missing',
  'injector-key-malformed',
  'injector-key-missing',
  'injector-not-permitted',
  'injector-signature-invalid',
  'malformed',
  'minimum-svn',
  'no-such-secret',
  'nonce-length',
  'not-attested',
  'policy-unknown',
  'processor-unavailable',
  'purpose-malformed',
  'rate-limited',
  'seal-broken',
  'sealed-id-key',
  'sealed-measurement',
  'sealed-purpose',
  'sealed-spec',
  'sealed-svn',
  'sealed-tee',
  'sealer-key-malformed',
  'sealer-key-missing',
  'sealer-not-permitted',
  'sealer-signature-invalid',
  'sealing-key-refused',
  'sealing-policy',
  'secret-already-delivered',
  'secret-too-large',
  'secrets-closed',
  'timeout',
  'too-large',
  'value-invalid',
  'value-too-large',
] as const;
export type AgentCode = (typeof AGENT_CODES)[number];

/** Codes of failures outside {@link RatlsCheckCode}'s checks. */
export type RatlsFailure =
  /** The policy is for simulated evidence, and the caller did not allow it. */
  | 'simulated-not-allowed'
  /** Nothing answers at the address. */
  | 'unreachable'
  /** The peer is slower than it may be. */
  | 'timeout'
  /** The caller's signal. */
  | 'aborted'
  /** The session ended. */
  | 'closed'
  /** The peer's answer violates the protocol. */
  | 'protocol'
  /** More bytes than the protocol allows. */
  | 'too-large'
  /** The peer refused, with a code that is not known here: `found`. */
  | 'refused'
  /** The agent of this guest gives no evidence. */
  | 'agent-unusable';

/** Every code of a {@link RatlsError}; each is stable. */
export type RatlsCode = RatlsCheckCode | RatlsFailure | AgentCode;

/** The expected and the found value, and the remedy, where they are known. */
export interface RatlsErrorDetails {
  readonly expected?: string | undefined;
  readonly found?: string | undefined;
  /** One sentence. */
  readonly remedy?: string | undefined;
  readonly cause?: unknown;
  /** Whether this side refused by the verified launch spec, before it sent anything. */
  readonly bySpec?: true;
  /** How each check went, where checks were made. */
  readonly checks?: readonly RatlsCheck[] | undefined;
  /** The result of each policy check, where the policy rejected the report. */
  readonly appraisal?: Appraisal | undefined;
}

/** A peer was refused: `code` is stable, `message` is for people. */
export class RatlsError extends Error {
  override readonly name = 'RatlsError';
  readonly code: RatlsCode;
  readonly expected: string | undefined;
  readonly found: string | undefined;
  readonly remedy: string | undefined;
  /** Whether this side refused by the verified launch spec, before it sent anything. */
  readonly bySpec: boolean;
  readonly checks: readonly RatlsCheck[];
  readonly appraisal: Appraisal | undefined;

  constructor(code: RatlsCode, message: string, details: RatlsErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.expected = details.expected;
    this.found = details.found;
    this.remedy = details.remedy;
    this.bySpec = details.bySpec === true;
    this.checks = details.checks ?? [];
    this.appraisal = details.appraisal;
  }
}

/** An error that says that a check failed. */
export type RatlsRefusal = RatlsError & { readonly code: RatlsCheckCode };

export function isRatlsRefusal(error: unknown): error is RatlsRefusal {
  return error instanceof RatlsError && Object.hasOwn(RATLS_CHECKS, error.code);
}
