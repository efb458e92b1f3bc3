/**
 * Converts an error to the answer that a client gets.
 *
 * @module
 */
import { SpecRefusal } from '../../boxes/record/spec-refusal.ts';
import { isDiskFull } from '../../disk-full.ts';
import type { Problem } from '../../docker-api/problem.ts';
import { A3sError, ERRORS } from '../../errors.ts';
import { GuestRefusal } from '../../guest/refusal.ts';

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
      ...ruleOf(error),
    };
    const { status, unlogged = false } = ERRORS[code];
    return { status, body, unexpected: status >= 500 && !unlogged };
  }
  return isDiskFull(error) || isDatabaseFull(error)
    ? unexpected('disk-full', 'No space is left on the device that holds A3S_HOME')
    : unexpected('internal', 'The server failed in a way that was not foreseen');
}

/** The field of the launch spec that decided: of this host's refusal, or of the guest's. */
function ruleOf(error: A3sError): { readonly rule?: string } {
  if (error instanceof SpecRefusal) return { rule: error.decided.rule };
  return error instanceof GuestRefusal && error.rule !== undefined ? { rule: error.rule } : {};
}

function unexpected(code: 'disk-full' | 'internal', message: string): Failure {
  const { status, remedy } = ERRORS[code];
  return { status, body: { message, code, remedy }, unexpected: true };
}

function isDatabaseFull(error: unknown): boolean {
  return error instanceof Error && 'code' in error && error.code === 'SQLITE_FULL';
}
