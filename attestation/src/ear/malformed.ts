/**
 * The refusal of a token that is not written as it has to be.
 *
 * @module
 */
import { AttestationError } from '../errors.ts';

/** Longer tokens are not read. */
export const MAX_TOKEN_SIZE = 256 * 1024;

/** Containers within containers; EAR itself needs four. */
export const MAX_DEPTH = 16;

/** `where` names the part of the token. */
export function malformed(where: string, expected: string, cause?: unknown): AttestationError {
  return new AttestationError('ear-malformed', `${where} must be ${expected}`, { expected, cause });
}
