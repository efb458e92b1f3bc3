/**
 * Evidence that was verified: the only place where claims can be read.
 *
 * @module
 */

import type { Claims } from './verified-claims.ts';
import type { VerifyCheck } from './verify-checks.ts';

const VERIFIER = Symbol('verifier');

/**
 * A report of real SEV-SNP hardware whose chain, signature and bindings held.
 *
 * Only `verify` makes one; its constructor refuses everybody else with a `TypeError`. Verified does
 * not mean accepted: `appraise` decides that.
 */
export class VerifiedReport {
  readonly #claims: Claims;
  /** Every check and how it went; none `failed`. */
  readonly checks: readonly VerifyCheck[];

  /** @internal */
  constructor(verifier: symbol, claims: Claims, checks: readonly VerifyCheck[]) {
    if (verifier !== VERIFIER) throw new TypeError('A VerifiedReport is made by verify() alone.');
    this.#claims = claims;
    this.checks = checks;
    Object.freeze(this);
  }

  /** What the report says, and what its chain adds. Frozen. */
  get claims(): Claims {
    return this.#claims;
  }

  /** Whether this is one that `verify` made, and not something of the same shape. */
  static is(value: unknown): value is VerifiedReport {
    return typeof value === 'object' && value !== null && #claims in value;
  }
}

/** For the verifier alone; the package does not export it. */
export function admit(claims: Claims, checks: readonly VerifyCheck[]): VerifiedReport {
  return new VerifiedReport(VERIFIER, claims, checks);
}
