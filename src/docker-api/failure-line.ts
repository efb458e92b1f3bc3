/**
 * A failure in a stream of progress: its status has been sent, so the failure is a line like any
 * other.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from './document.ts';
import { Problem } from './problem.ts';

export const FailureLine = Problem.extend({
  error: z.string(),
  errorDetail: z.strictObject({ message: z.string() }),
});
export type FailureLine = Document<typeof FailureLine>;
