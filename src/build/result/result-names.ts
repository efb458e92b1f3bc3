/**
 * Bounds on the names that a client gives to a result.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import { parseReference } from '../../oci/reference.ts';

/** Each is a row of the store. */
const MAX_NAMES = 64;

/** @throws A3sError `invalid-argument` for names that no result can have */
export function requireResultNames(names: readonly string[]): void {
  if (names.length > MAX_NAMES) {
    throw new A3sError('invalid-argument', `Cannot give one image ${names.length} names at once`, {
      remedy: `Give at most ${MAX_NAMES} names.`,
    });
  }
  for (const name of names) {
    if (parseReference(name).digest === undefined) continue;
    throw new A3sError('invalid-argument', `Cannot name a result ${name}: that has a digest`, {
      remedy: 'Name it NAME[:TAG]. Its digest is what the build makes of it.',
    });
  }
}
