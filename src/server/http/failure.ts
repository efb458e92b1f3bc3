/**
 * Converts an error to the answer that a client gets.
 *
 * @module
 */
import { SpecRefusal } from '../../boxes/record/spec-refusal.ts';
import { isDiskFull } from '../../disk-full.ts';
import type { Problem } from '../../docker-api/problem.ts';
import { A3sError, ERRORS } from '../../errors.ts';

export interface Failure {
  readonly status: number;
  readonly body: Problem;
  /** Whether this is the server's fault, and belongs into its log. */
  readonly unexpected: boolean;
}

/** The client gets no details of an unexpected error. */
export function failureOf(error: unknown): Failure {
  if (error instanceof A3sError) {
    const { code, message, remedy } = error;
    const body = {
      ...{ message, code, ...(remedy === undefined ? {} : { remedy }) },
      ...(error instanceof SpecRefusal ? { rule: error.decided.rule } : {}),
    };
    const { status, unlogged = false } = ERRORS[code];
    return { status, body, unexpected: status >= 500 && !unlogged };
  }
  return isDiskFull(error) || isDatabaseFull(error)
    ? unexpected('disk-full', 'No space is left on the device that holds A3S_HOME')
    : unexpected('internal', 'The server failed in a way that was not foreseen');
}

function unexpected(code: 'disk-full' | 'internal', message: string): Failure {
  const { status, remedy } = ERRORS[code];
  return { status, body: { message, code, remedy }, unexpected: true };
}

function isDatabaseFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'SQLITE_FULL';
}
