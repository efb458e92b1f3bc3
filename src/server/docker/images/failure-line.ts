/**
 * A failure as a line of a progress stream.
 *
 * @module
 */
import type { FailureLine } from '../../../docker-api/failure-line.ts';
import type { Failure } from '../../http/failure.ts';

/** Docker's `code` in the detail is a number, so this project's code is outside the detail. */
export function failureLine({ body }: Failure): FailureLine {
  return { ...body, errorDetail: { message: body.message }, error: body.message };
}
