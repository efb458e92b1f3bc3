/**
 * The exit code of a box that could not start.
 *
 * The guest's counterpart is `native/agent/box/process/exitcode.go`: where the secrets of a box came
 * first, the guest has its exit code. Both have the same codes and the same default;
 * `test/vectors/guest-errors.json` has the codes.
 *
 * @module
 */
import { A3sError, ERRORS } from '../../errors.ts';

/**
 * Docker's default (`exitUnknown` in moby's daemon/start.go), which is in `State.ExitCode`. The
 * command `docker run` exits with 125 then: that is its own status, and not the container's.
 * `exitUnknown` of the guest is the same.
 */
const UNKNOWN = 128;

export function exitCodeOf(error: unknown): number {
  return (error instanceof A3sError ? ERRORS[error.code].exitCode : undefined) ?? UNKNOWN;
}
