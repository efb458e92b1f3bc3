/**
 * The exit code of a box that could not start: the column `exitCode` of the error's row in
 * `src/error-rows/`.
 *
 * The guest's counterpart is `native/agent/box/process/exitcode.go`. It decides where a box waited
 * for its secrets, since the guest starts that main process. Both have the same codes and the same
 * default. `test/vectors/guest-errors.json` has the codes.
 *
 * @module
 */
import { A3sError, ERRORS } from '../../errors.ts';

/**
 * Docker's default (`exitUnknown` in moby's daemon/start.go), which is in `State.ExitCode`. The
 * command `docker run` then exits with 125, which is its own status, and not the container's.
 * `exitUnknown` of the guest is the same.
 */
const UNKNOWN = 128;

export function exitCodeOf(error: unknown): number {
  return (error instanceof A3sError ? ERRORS[error.code].exitCode : undefined) ?? UNKNOWN;
}
