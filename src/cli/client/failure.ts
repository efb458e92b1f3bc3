/**
 * Turns the server's refusals back into errors.
 *
 * @module
 */
import type { Problem } from '../../docker-api/problem.ts';
import { A3sError, ERRORS, type ErrorCode } from '../../errors.ts';
import { parseJson } from '../../parse-json.ts';
import { objectOf } from './json.ts';

/** Longest message of the server that is shown. */
const MAX_MESSAGE = 64 * 1024;

export function isErrorCode(value: unknown): value is ErrorCode {
  return typeof value === 'string' && Object.hasOwn(ERRORS, value);
}

/** `{message, code?, remedy?}` of an error body, or another answer of the server. */
export function failureOf(status: number, body: string): A3sError {
  const { message, code, remedy } = objectOf<Problem>(parseJson(body));
  if (typeof message !== 'string') {
    return new A3sError('internal', `The server answered ${status} without saying why`);
  }
  return new A3sError(
    isErrorCode(code) ? code : codeOf(status),
    printable(message.slice(0, MAX_MESSAGE)),
    { remedy: typeof remedy === 'string' ? printable(remedy.slice(0, MAX_MESSAGE)) : undefined },
  );
}

/** For bodies without a code, such as those of a Docker proxy in between. */
function codeOf(status: number): ErrorCode {
  if (status === 400) return 'invalid-argument';
  if (status === 409) return 'conflict';
  if (status === 413) return 'too-large';
  if (status === 501) return 'not-implemented';
  return 'internal';
}

/**
 * Messages may quote an image's or a guest's text: control characters must not reach a terminal.
 */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is replaced
  return text.replaceAll('\r\n', '\n').replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, '\u{fffd}');
}

/** An error of the connection itself. */
export function unreachable(error: unknown, socket: string): A3sError {
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (code === 'EACCES' || code === 'EPERM') {
    return new A3sError('server-unreachable', `Cannot open ${socket}: permission denied`, {
      remedy: 'Run a3s-box as the user whose server this is, or choose another A3S_HOME.',
      cause: error,
    });
  }
  const detail = error instanceof Error ? error.message : String(error);
  return new A3sError('server-unreachable', `Lost the control server at ${socket}: ${detail}`, {
    remedy: 'Boxes run on without it; any a3s-box command starts it again.',
    cause: error,
  });
}
