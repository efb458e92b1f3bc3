/**
 * A failure in a stream of progress: its status has been sent, so the failure is a line like any other.
 *
 * @module
 */
import type { Failure } from '../http/failure.ts';

/** Docker's own `code` in the detail is a number; ours stand beside it. */
export function failureLine({ body }: Failure) {
  return { ...body, errorDetail: { message: body.message }, error: body.message };
}
