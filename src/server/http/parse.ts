/**
 * Narrows the input of a client.
 *
 * @module
 */
import type * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { narrow } from '../../narrow.ts';

const MAX_ISSUES = 10;

/** @throws A3sError `invalid-argument` naming every bad field */
export function parseRequest<T extends z.ZodType>(schema: T, value: unknown): z.output<T> {
  const result = narrow(schema, value);
  if (result.success) return result.data;
  const issues = result.error.issues.slice(0, MAX_ISSUES).map(({ path, message }) => {
    const where = path.map(String).join('.').slice(0, 200);
    return where === '' ? message : `${where}: ${message}`;
  });
  throw new A3sError('invalid-argument', `Invalid request: ${issues.join('; ')}`.slice(0, 2000), {
    cause: result.error,
  });
}
