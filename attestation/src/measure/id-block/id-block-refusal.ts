/**
 * The refusal of an ID block and what comes with it: keys, signatures, authentication information.
 *
 * @module
 */
import { AttestationError } from '../../errors.ts';

/**
 * Says what cannot be read, as `an ID block`.
 *
 * @throws AttestationError `id-block-malformed`, always
 */
export function refuseIdBlock(what: string, expected: string, found: string): never {
  throw new AttestationError('id-block-malformed', `Cannot read ${what}: expected ${expected}`, {
    expected,
    found,
  });
}
