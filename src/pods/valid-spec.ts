/**
 * Checks a document for the agent before it is sent.
 *
 * @module
 */
import type * as z from 'zod';
import { A3sError } from '../errors.ts';

/** @throws A3sError `invalid-argument` with the field that a request has wrongly */
export function validSpec<T>(schema: z.ZodType<T>, document: unknown): T {
  const result = schema.safeParse(document);
  if (result.success) return result.data;
  const [issue] = result.error.issues;
  throw new A3sError('invalid-argument', `${issue?.path.join('.')}: ${issue?.message}`);
}
