/**
 * A failure as a line of a stream of progress.
 *
 * @module
 */
import type { FailureLine } from '../../../docker-api/failure-line.ts';
import type { Failure } from '../../http/failure.ts';

/** Docker's own `code` in the detail is a number; ours stand beside it. */
export function failureLine({ body }: Failure): FailureLine {
  return { ...body, errorDetail: { message: body.message }, error: body.message };
}
