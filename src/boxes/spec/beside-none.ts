/**
 * A box without a network is in no other one.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

/** The refusal of other networks of a box that has none, in Docker's words. */
export function besideNone(): A3sError {
  return new A3sError(
    'invalid-argument',
    'conflicting options: container cannot be connected to multiple networks with one of the networks in private (none) mode',
    { remedy: 'Leave none out, or the other networks; disconnect a box from none first.' },
  );
}
