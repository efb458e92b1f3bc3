/**
 * A mistake in the command line itself, found before any request to the server.
 *
 * @module
 */
import { A3sError, type ErrorCode } from '../errors.ts';

/** Docker's exit status for a flag that cannot be used. */
const FLAG_STATUS = 125;

/** A mistake in the command line, with the exit status that Docker gives it. */
export class UsageError extends A3sError {
  readonly status: number;

  constructor(
    message: string,
    options: { status?: number; remedy?: string | undefined; code?: ErrorCode } = {},
  ) {
    super(options.code ?? 'invalid-argument', message, { remedy: options.remedy });
    this.status = options.status ?? FLAG_STATUS;
  }
}
