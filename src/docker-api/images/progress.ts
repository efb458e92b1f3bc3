/**
 * Lines of a stream of progress: pull, push, load and import.
 *
 * @module
 */
import * as z from 'zod';
import type { Document } from '../document.ts';
import { FailureLine } from '../failure-line.ts';

export const ProgressLine = z.union([
  z.strictObject({
    status: z.string(),
    id: z.string().optional(),
    progressDetail: z
      .strictObject({ current: z.int().optional(), total: z.int().optional() })
      .optional(),
  }),
  z.strictObject({ stream: z.string() }),
  /** What came of it, in the words of the operation. */
  z.strictObject({
    progressDetail: z.strictObject({}).optional(),
    aux: z.record(z.string(), z.unknown()),
  }),
  FailureLine,
]);
export type ProgressLine = Document<typeof ProgressLine>;
