/**
 * Converts an error to the answer that a client gets.
 *
 * @module
 */
import type { Problem } from '../../docker-api/problem.ts';
import { A3sError, ERRORS } from '../../errors.ts';

export interface Failure {
  readonly status: number;
  readonly body: Problem;
  /** Whether this is the server's fault, and belongs into its log. */
  readonly unexpected: boolean;
}

/** The errors of the system and of SQLite for a full disk. */
const FULL = ['ENOSPC', 'EDQUOT', 'SQLITE_FULL'];

/** The client gets no details of an unexpected error. */
export function failureOf(error: unknown): Failure {
  if (error instanceof A3sError) {
    const { code, message, remedy } = error;
    const body = { message, code, ...(remedy === undefined ? {} : { remedy }) };
    const { status, unlogged = false } = ERRORS[code];
    return { status, body, unexpected: status >= 500 && !unlogged };
  }
  if (FULL.some((code) => isSystemError(error, code))) {
    const message = 'No space is left on the device that holds A3S_HOME';
    const body = { message, code: 'disk-full', remedy: 'Free some space and try again.' };
    return { status: 500, body, unexpected: true };
  }
  const body = {
    message: 'The server failed in a way that was not foreseen',
    code: 'internal',
    remedy: 'See server.log in A3S_HOME.',
  };
  return { status: 500, body, unexpected: true };
}

function isSystemError(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
