/**
 * Makes a fuzz target of a parser: it may refuse bytes, in its documented way and in no other.
 *
 * @module
 */
import { PolicyError } from '@a3s-box/policies/attestation-policy';
import { AttestationError } from '../../../attestation/src/errors.ts';
import { LaunchSpecError } from '../../../policies/src/launch-spec/parse-launch-spec.ts';
import { CborError } from '../../../ratls/src/certificate/cbor.ts';
import { RatlsError } from '../../../ratls/src/errors.ts';
import { SealingError } from '../../../sealing/src/errors.ts';

/** What parsers refuse with. */
const REFUSALS = [
  AttestationError,
  PolicyError,
  LaunchSpecError,
  RatlsError,
  CborError,
  SealingError,
];

/** What the fuzzer calls with one input after another. */
export function refusing(parse: (bytes: Uint8Array) => unknown): (input: Uint8Array) => void {
  return (input) => {
    try {
      parse(Uint8Array.from(input));
    } catch (error) {
      if (!REFUSALS.some((refusal) => error instanceof refusal)) throw error;
    }
  };
}

/** The same for a parser of text. */
export function refusingText(parse: (text: string) => unknown): (input: Uint8Array) => void {
  const decoder = new TextDecoder();
  return refusing((bytes) => parse(decoder.decode(bytes)));
}
