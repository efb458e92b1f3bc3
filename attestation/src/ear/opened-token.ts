/**
 * What JWS and COSE have in common: a token taken apart, and the refusals of its header.
 *
 * @module
 */
import { AttestationError } from '../errors.ts';
import { ALGORITHMS, type EarAlgorithm } from './signatures.ts';

/** A token taken apart; nothing of it is believed yet. */
export interface OpenedToken {
  readonly algorithm: EarAlgorithm;
  readonly signed: Uint8Array;
  readonly signature: Uint8Array;
  readonly payload: Uint8Array;
}

/** No header parameter that a reader must understand is understood here. */
export function critical(): AttestationError {
  return new AttestationError('ear-critical', 'the token has a critical header parameter', {
    expected: 'no critical header parameters',
  });
}

export function unknownAlgorithm(found: unknown): AttestationError {
  const expected = names().join(', ');
  return new AttestationError('ear-algorithm', `the algorithm must be one of ${expected}`, {
    expected,
    found:
      typeof found === 'string' || typeof found === 'number' ? `${found}`.slice(0, 64) : 'none',
  });
}

export function names(): readonly EarAlgorithm[] {
  return Object.keys(ALGORITHMS) as EarAlgorithm[];
}
