/**
 * Loads the attestation library on demand.
 *
 * @module
 */
import { InputError } from '../../files/input-error.ts';

/** The whole library: a class of another copy would not recognise this one's errors. */
export type Library = typeof import('#attestation');

export function loadLibrary(): Promise<Library> {
  return import('#attestation');
}

/**
 * The result of `read`. Its refusal becomes an {@link InputError} that names the input.
 *
 * @param input empty where the message already names it
 * @throws InputError for the errors that the library documents for bad input
 */
export function refusing<T>(library: Library, input: string, read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw inputError(library, input, error);
  }
}

/** The same for an asynchronous call. */
export async function refusingLater<T>(
  library: Library,
  input: string,
  read: () => Promise<T>,
): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw inputError(library, input, error);
  }
}

function inputError(library: Library, input: string, error: unknown): unknown {
  if (error instanceof library.PolicyError) {
    const lines = problemLines(input, error.problems);
    return new InputError(error.code, lines.join('\n'), { cause: error });
  }
  if (!(error instanceof library.AttestationError)) return error;
  const { code, message, expected, found, remedy } = error;
  const text = input === '' ? message : `${input}: ${message}`;
  return new InputError(code, text, { expected, found, remedy, cause: error });
}

type Problem = InstanceType<Library['PolicyError']>['problems'][number];

/** `file:line:column: path: message`, one line for each problem. */
export function problemLines(input: string, problems: readonly Problem[]): readonly string[] {
  return problems.map(({ path, message, line, column }) => {
    const place = line === undefined ? input : `${input}:${line}:${column ?? 1}`;
    const text = [place, ...(path === '' ? [] : [path]), message].join(': ');
    // The message contains keys of the document, and one problem is one line.
    return text.replaceAll(/\s/g, ' ');
  });
}
