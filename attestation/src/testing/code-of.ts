/**
 * A verifier's result in the form of the vectors.
 *
 * @module
 */
import { AttestationError } from '../errors.ts';

/** `accepted`, or the code of the AttestationError that a call throws; it throws any other. */
export function codeOf(run: () => unknown): string {
  try {
    run();
  } catch (error) {
    if (error instanceof AttestationError) return error.code;
    throw error;
  }
  return 'accepted';
}
