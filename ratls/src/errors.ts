/**
 * The one error class that this package throws at what a peer says or does.
 *
 * A caller's own mistake is a `TypeError` or `RangeError`.
 *
 * @module
 */
import type { RatlsCheck, RatlsCheckCode } from './checks.ts';

/** Codes of what fails outside {@link RatlsCheckCode}'s checks. */
export type RatlsFailure =
  /** Nobody answers there. */
  | 'unreachable'
  /** The peer is slower than it may be. */
  | 'timeout'
  /** The caller's signal. */
  | 'aborted'
  /** The session ended, or was never verified. */
  | 'closed'
  /** The peer answers with something else than the protocol has. */
  | 'protocol'
  /** More bytes than the protocol allows. */
  | 'too-large'
  /** What the peer refused: its own code is in `found`. */
  | 'refused'
  /** The workload's side of the agent's socket. */
  | 'agent';

/** Every code of a {@link RatlsError}; each is stable. */
export type RatlsCode = RatlsCheckCode | RatlsFailure;

/** What was expected and found, and what to do next, where it can be told. */
export interface RatlsErrorDetails {
  readonly expected?: string | undefined;
  readonly found?: string | undefined;
  /** One sentence. */
  readonly remedy?: string | undefined;
  readonly cause?: unknown;
  /** How each check went, where checks were made. */
  readonly checks?: readonly RatlsCheck[] | undefined;
}

/** A peer was refused: `code` is stable, `message` is for people. */
export class RatlsError extends Error {
  override readonly name = 'RatlsError';
  readonly code: RatlsCode;
  readonly expected: string | undefined;
  readonly found: string | undefined;
  readonly remedy: string | undefined;
  readonly checks: readonly RatlsCheck[];

  constructor(code: RatlsCode, message: string, details: RatlsErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.expected = details.expected;
    this.found = details.found;
    this.remedy = details.remedy;
    this.checks = details.checks ?? [];
  }
}
