/**
 * A fuzz target out of a parser: it may refuse bytes, in its documented way and in no other.
 *
 * @module
 */
import { AttestationError } from '../../../attestation/src/errors.ts';

/** What the fuzzer calls with one input after another. */
export function refusing(parse: (bytes: Uint8Array) => unknown): (input: Uint8Array) => void {
  return (input) => {
    try {
      parse(Uint8Array.from(input));
    } catch (error) {
      if (!(error instanceof AttestationError)) throw error;
    }
  };
}
