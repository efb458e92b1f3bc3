/**
 * Evidence of a simulated secure processor that was verified.
 *
 * @module
 */

import type { Claims } from '../../verify/verified-claims.ts';
import type { VerifyCheck } from '../../verify/verify-checks.ts';

const VERIFIER = Symbol('simulated verifier');

/**
 * A report that a simulated secure processor signed. It proves nothing about any hardware.
 *
 * Only `verifySimulated` makes one. It is of another type than a verified report, so that what
 * expects real evidence cannot be handed this.
 */
export class SimulatedReport {
  readonly #claims: Claims;
  /** Every check and how it went; none `failed`. */
  readonly checks: readonly VerifyCheck[];
  /** Marks it as simulated wherever it is printed. */
  readonly simulated = true;

  /** @internal */
  constructor(verifier: symbol, claims: Claims, checks: readonly VerifyCheck[]) {
    if (verifier !== VERIFIER) {
      throw new TypeError('A SimulatedReport is made by verifySimulated() alone.');
    }
    this.#claims = claims;
    this.checks = checks;
    Object.freeze(this);
  }

  /** What the report says, and what its chain adds. Frozen. */
  get claims(): Claims {
    return this.#claims;
  }

  /** Whether this is one that `verifySimulated` made. */
  static is(value: unknown): value is SimulatedReport {
    return typeof value === 'object' && value !== null && #claims in value;
  }
}

/** For the simulated verifier alone; the package does not export it. */
export function admitSimulated(claims: Claims, checks: readonly VerifyCheck[]): SimulatedReport {
  return new SimulatedReport(VERIFIER, claims, checks);
}
