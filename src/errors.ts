/**
 * The one error class that users meet.
 *
 * Every refusal has a code from a closed list, says what was expected and found, and what to do
 * next. Codes are stable: programs branch on them, and the API's error bodies contain them.
 *
 * @module
 */
import type { ErrorRow } from './error-row.ts';
import { ERROR_ROWS } from './error-rows.ts';

/** A stable error code. */
export type ErrorCode = keyof typeof ERROR_ROWS;

/** Every property that depends on a code. No other place groups codes by such a property. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorRow>> = ERROR_ROWS;

/** An error with a stable code, a message for people, and the next step where there is one. */
export class A3sError extends Error {
  override readonly name = 'A3sError';
  readonly code: ErrorCode;
  /** What to do next, as one sentence; printed after the message. */
  readonly remedy: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { remedy?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remedy = options.remedy;
  }
}

/**
 * A mirror served wrong content. It is not asked again for a while: the registry itself may have
 * the right content.
 */
export class MirrorError extends A3sError {}
