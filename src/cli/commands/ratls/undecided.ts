/**
 * The document of a command that could not decide.
 *
 * @module
 */
import { InputError } from '../../files/input-error.ts';
import { failureOf } from '../attest/json-failure.ts';

/** Rejected by default, and without a check. */
export function undecided(cause: unknown): object {
  const { code, error } = failureOf(cause);
  const known = cause instanceof InputError || code !== 'internal';
  return { accepted: false, code: known ? code : 'internal', checks: [], error };
}
