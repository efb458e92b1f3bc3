/**
 * The verdict on an application, for programs.
 *
 * @module
 */
import type { BoxVerdict } from './box-verdict.ts';

/** The verdict on one box, or on a service without one. */
export interface ServiceVerdict {
  readonly service: string;
  /** Empty where the service has none. */
  readonly box: string;
  readonly accepted: boolean;
  /** As of a box; or `no-box`, `unnamed-service`, `same-instance`. */
  readonly code: string;
  /** Present and true where the box did not answer, so that it is neither accepted nor rejected. */
  readonly undecided?: true;
  readonly verdict?: BoxVerdict;
}

/** The document that `attest app --json` prints; its keys are stable. */
export interface ApplicationVerdict {
  readonly application: string;
  readonly accepted: boolean;
  readonly simulated?: true;
  readonly services: readonly ServiceVerdict[];
}
