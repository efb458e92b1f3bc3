/**
 * The error that the readers of this folder throw.
 *
 * @module
 */
import { type AttestationCode, AttestationError } from '../errors.ts';

/**
 * Bytes that are not the one DER encoding of what was expected.
 *
 * {@link decoding} gives it the code of what was being parsed; only the entry for other
 * certificates throws it unchanged.
 */
export class DerError extends Error {
  override readonly name = 'DerError';
  readonly expected: string;
  readonly found: string;

  constructor(expected: string, found: string) {
    super(`expected ${expected}, found ${found}`);
    this.expected = expected;
    this.found = found;
  }
}

/**
 * Runs a parser.
 *
 * @throws {AttestationError} with `code` where it throws a {@link DerError}; `subject` begins the
 *   message.
 */
export function decoding<T>(code: AttestationCode, subject: string, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    if (!(error instanceof DerError)) throw error;
    const { expected, found } = error;
    throw new AttestationError(code, `${subject}: ${error.message}`, { expected, found });
  }
}
