/**
 * Docker's exit status for a command that failed.
 *
 * @module
 */
import { A3sError, ERRORS } from '../../errors.ts';

/** The record of a box whose start was refused. A command has a status of its own for that. */
const REFUSED = 125;

/** The status of a program that could not be started, and `otherwise` for any other failure. */
export function failureStatus(error: unknown, otherwise: number): number {
  const exitCode = error instanceof A3sError ? ERRORS[error.code].exitCode : undefined;
  return exitCode === undefined || exitCode === REFUSED ? otherwise : exitCode;
}
