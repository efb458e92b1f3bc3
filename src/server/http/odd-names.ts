/**
 * The one name that no document may use.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

const ODD = '__proto__';

/**
 * Schemas ignore a field of this name, so it would be accepted and have no effect.
 *
 * @throws A3sError `invalid-argument`
 */
export function refuseOddNames(document: unknown): void {
  const left = [document];
  while (left.length > 0) {
    const value = left.pop();
    if (typeof value !== 'object' || value === null) continue;
    if (Object.hasOwn(value, ODD)) {
      throw new A3sError('invalid-argument', `Invalid request: a field cannot be called ${ODD}`);
    }
    for (const each of Object.values(value)) left.push(each);
  }
}
