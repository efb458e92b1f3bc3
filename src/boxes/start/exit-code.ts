/**
 * The exit code of a box that could not start.
 *
 * One that could not start after its secrets came has its exit code from the guest, whose counterpart
 * is `native/agent/box/process/exitcode.go`. `test/vectors/guest-errors.json` holds both.
 *
 * @module
 */
import { A3sError, ERRORS } from '../../errors.ts';

/**
 * Docker's default (`exitUnknown` in moby's daemon/start.go): it is on the container's record.
 * 125 is the status of the command `docker run` then, and not of the container.
 */
const UNKNOWN = 128;

export function exitCodeOf(error: unknown): number {
  return (error instanceof A3sError ? ERRORS[error.code].exitCode : undefined) ?? UNKNOWN;
}
