/**
 * Catches the error of a refused call.
 *
 * @module
 */
import { expect } from 'vitest';
import { AttestationError } from '../../errors.ts';

/** The AttestationError that a call throws or rejects with; another outcome fails the test. */
export async function refusal(call: () => unknown): Promise<AttestationError> {
  const outcome = await (async () => call())().catch((error: unknown) => error);
  expect(outcome).toBeInstanceOf(AttestationError);
  return outcome as AttestationError;
}
