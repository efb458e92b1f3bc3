/**
 * A failure in a stream of progress: its status has been sent, so the failure is a line like any other.
 *
 * @module
 */
import * as z from 'zod';
import type { Failure } from '../../http/failure.ts';
import type { Document } from '../../http/replies.ts';

export const FailureLine = z.strictObject({
  message: z.string(),
  code: z.string(),
  remedy: z.string().optional(),
  error: z.string(),
  errorDetail: z.strictObject({ message: z.string() }),
});

/** Docker's own `code` in the detail is a number; ours stand beside it. */
export function failureLine({ body }: Failure): Document<typeof FailureLine> {
  return { ...body, errorDetail: { message: body.message }, error: body.message };
}
