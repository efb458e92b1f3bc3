/**
 * Failures for programs: with `--json` a command prints one document on standard output, for any
 * result.
 *
 * @module
 */
import { A3sError } from '../../../errors.ts';
import type { Command, Invocation } from '../../command.ts';
import { InputError } from '../../files/input-error.ts';
import { jsonText } from '../../output/json-text.ts';
import { UsageError } from '../../usage-error.ts';

/** The reason for which there is no result; its keys are stable. */
export interface Failure {
  readonly code: string;
  readonly error: {
    readonly message: string;
    readonly expected?: string | undefined;
    readonly found?: string | undefined;
    readonly remedy?: string | undefined;
  };
}

export function failureOf(error: unknown): Failure {
  const message = error instanceof Error ? error.message : String(error);
  if (error instanceof InputError) {
    const { code, expected, found, remedy } = error;
    return { code, error: { message, expected, found, remedy } };
  }
  if (error instanceof UsageError || error instanceof A3sError) {
    return { code: error.code, error: { message, remedy: error.remedy } };
  }
  return { code: 'internal', error: { message } };
}

/**
 * Runs a command, and prints a document where it fails and `--json` is given.
 *
 * @param describe the document
 */
export function tellingPrograms(
  run: Command['run'],
  describe: (error: unknown) => object = failureOf,
): Command['run'] {
  return async (invocation: Invocation) => {
    try {
      return await run(invocation);
    } catch (error) {
      const { context, flags } = invocation;
      if (flags.bool('json')) context.stdout.write(jsonText(describe(error)));
      throw error;
    }
  };
}
