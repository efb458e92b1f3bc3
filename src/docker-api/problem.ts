/**
 * A refusal.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from './document.ts';

/** Docker's error body, with this project's stable code and the next step beside it. */
export const Problem = z.strictObject({
  message: z.string(),
  /** Stable. */
  code: z.string(),
  remedy: z.string().optional(),
  /** Which field of a confidential box's launch spec decided. */
  rule: z.string().optional(),
});
export type Problem = Document<typeof Problem>;
