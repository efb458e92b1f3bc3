/**
 * Docker's exit status for a program that could not be started.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

export function failureStatus(error: unknown, otherwise: number): number {
  if (!(error instanceof A3sError)) return otherwise;
  if (error.code === 'command-not-found') return 127;
  if (error.code === 'command-not-executable') return 126;
  return otherwise;
}
