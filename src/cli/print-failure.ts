/**
 * Prints a failure for people: one line with its code, then the remedy. A stack trace is printed
 * only on request.
 *
 * @module
 */
import { inspect } from 'node:util';
import { A3sError } from '../errors.ts';
import { printable } from './client/failure.ts';
import type { Context } from './context.ts';
import { InputError } from './files/input-error.ts';

export function printFailure(context: Pick<Context, 'stderr' | 'env'>, error: unknown): void {
  context.stderr.write(describeFailure(error));
  if (isDebug(context.env)) context.stderr.write(`${inspect(error)}\n`);
}

function describeFailure(error: unknown): string {
  if (error instanceof A3sError) {
    // The guest's text may follow: the code stays on the first line.
    const [first = '', ...more] = error.message.trimEnd().split('\n');
    const lines = [`a3s-box: ${first} (${error.code})`, ...more];
    if (error.remedy !== undefined) lines.push(error.remedy);
    return `${lines.join('\n')}\n`;
  }
  if (error instanceof InputError) return describeInputError(error);
  const detail = error instanceof Error ? error.message : String(error);
  return `a3s-box: unexpected error: ${detail} (internal)\nSet A3S_DEBUG=1 to see where it comes from.\n`;
}

/** Each of its parts may quote the input. */
function describeInputError({ code, message, expected, found, remedy }: InputError): string {
  const [first = '', ...more] = message.split('\n');
  const lines = [`a3s-box: ${first} (${code})`, ...more];
  if (expected !== undefined) lines.push(`expected: ${expected.replaceAll(/\s/g, ' ')}`);
  if (found !== undefined) lines.push(`found:    ${found.replaceAll(/\s/g, ' ')}`);
  if (remedy !== undefined) lines.push(remedy);
  return `${printable(lines.join('\n'))}\n`;
}

function isDebug(env: Context['env']): boolean {
  const value = env['A3S_DEBUG'];
  return value !== undefined && value !== '' && value !== '0';
}
