/**
 * From an error to what a client is told.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError, ERROR_STATUS } from '../../errors.ts';

/** Docker's error body, with our stable code and the next step beside it. */
export interface FailureBody {
  readonly message: string;
  readonly code: string;
  readonly remedy?: string;
}

export interface Failure {
  readonly status: number;
  readonly body: FailureBody;
  /** Whether this is our fault, and belongs into the server's log. */
  readonly unexpected: boolean;
}

/** An error that nobody foresaw tells nothing of its inside. */
export function failureOf(error: unknown): Failure {
  if (error instanceof A3sError) {
    const { code, message, remedy } = error;
    const body = { message, code, ...(remedy === undefined ? {} : { remedy }) };
    const status = ERROR_STATUS[code];
    return { status, body, unexpected: status >= 500 };
  }
  if (error instanceof z.ZodError) {
    const body = { message: describe(error), code: 'invalid-argument' };
    return { status: 400, body, unexpected: false };
  }
  if (isSystemError(error, 'ENOSPC')) {
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

const MAX_ISSUES = 10;

function describe(error: z.ZodError): string {
  const issues = error.issues.slice(0, MAX_ISSUES).map(({ path, message }) => {
    const where = path.map(String).join('.').slice(0, 200);
    return where === '' ? message : `${where}: ${message}`;
  });
  return `Invalid request: ${issues.join('; ')}`.slice(0, 2000);
}

function isSystemError(error: unknown, code: string): boolean {
  return error instanceof Error && 'code' in error && error.code === code;
}
