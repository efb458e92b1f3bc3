/**
 * The error for an input file with invalid content.
 *
 * @module
 */

/** The place of a refusal, and the expected and found values there. */
interface InputErrorDetails {
  readonly expected?: string | undefined;
  readonly found?: string | undefined;
  /** What to do next, as one sentence. */
  readonly remedy?: string | undefined;
  readonly cause?: unknown;
}

/** Input was refused; `code` is one of those that the library which read it documents. */
export class InputError extends Error {
  override readonly name = 'InputError';
  readonly code: string;
  readonly expected: string | undefined;
  readonly found: string | undefined;
  readonly remedy: string | undefined;

  constructor(code: string, message: string, details: InputErrorDetails = {}) {
    super(message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = code;
    this.expected = details.expected;
    this.found = details.found;
    this.remedy = details.remedy;
  }
}
