/**
 * The agent's error codes: `docs/development/guest-protocol.md`, "Errors".
 *
 * The agent's table is in `native/agent/server/errors.go`, and the exit codes of processes that
 * could not start in `native/agent/box/process/exitcode.go`. `test/vectors/guest-errors.json` holds
 * all three.
 *
 * @module
 */
import type { ErrorCode } from '../errors.ts';

interface GuestErrorRow {
  /** HTTP status of the agent's answer. */
  readonly status: number;
  /** The host's code for it. */
  readonly code: ErrorCode;
  /**
   * The host does not repeat the request, which would get the same answer. `state`: the process has
   * ended, the agent has forgotten it, or it does not take this now. `request`: the agent cannot
   * read the request.
   */
  readonly final?: 'state' | 'request';
}

const ROWS = {
  invalid: { status: 400, code: 'invalid-argument', final: 'request' },
  'not-found': { status: 404, code: 'no-such-exec', final: 'state' },
  conflict: { status: 409, code: 'conflict', final: 'state' },
  // Since protocol 6. Earlier agents answer with a conflict.
  frozen: { status: 409, code: 'conflict', final: 'state' },
  'spec-missing': { status: 409, code: 'agent-failed' },
  'too-large': { status: 413, code: 'too-large' },
  'offset-gone': { status: 416, code: 'agent-failed' },
  'command-not-found': { status: 422, code: 'command-not-found' },
  'command-not-executable': { status: 422, code: 'command-not-executable' },
  'user-not-found': { status: 422, code: 'user-not-found' },
  'cwd-invalid': { status: 422, code: 'cwd-invalid' },
  'protocol-unsupported': { status: 426, code: 'agent-failed' },
  'setup-failed': { status: 500, code: 'agent-failed' },
  'host-not-permitted': { status: 403, code: 'host-not-permitted' },
  'networks-not-permitted': { status: 403, code: 'host-not-permitted' },
  // Since protocol 20.
  'container-not-permitted': { status: 403, code: 'host-not-permitted', final: 'request' },
  'launch-spec-malformed': { status: 400, code: 'launch-spec-mismatch' },
  'launch-spec-mismatch': { status: 403, code: 'launch-spec-mismatch' },
  'verity-mismatch': { status: 500, code: 'verity-mismatch' },
  'changes-too-small': { status: 500, code: 'launch-spec-mismatch' },
  'tee-unavailable': { status: 500, code: 'tee-unavailable' },
  // Of sealed volumes.
  'volume-empty': { status: 409, code: 'volume-empty' },
  'volume-refused': { status: 403, code: 'volume-refused' },
  'volume-damaged': { status: 500, code: 'volume-damaged' },
  'volume-rolled-back': { status: 500, code: 'volume-rolled-back' },
  'volume-key-mismatch': { status: 403, code: 'volume-key-mismatch' },
  'volume-key-refused': { status: 403, code: 'volume-key-refused' },
  'volume-key-not-fetched': { status: 500, code: 'volume-key-not-fetched' },
  // Of copies of files, since protocol 7.
  'path-invalid': { status: 400, code: 'invalid-argument', final: 'request' },
  'path-not-found': { status: 404, code: 'no-such-file', final: 'request' },
  'path-readonly': { status: 403, code: 'read-only-files', final: 'request' },
  'disk-full': { status: 507, code: 'box-disk-full' },
  // Of sockets in the box, since protocol 10: nobody listens, or not yet.
  'socket-refused': { status: 409, code: 'conflict' },
} as const satisfies Record<string, GuestErrorRow>;

/** An error code of the agent. */
export type GuestErrorCode = keyof typeof ROWS;

export const GUEST_ERRORS: Readonly<Record<GuestErrorCode, GuestErrorRow>> = ROWS;

/** Whether the host knows the code. A newer agent may have more codes. */
export function isGuestErrorCode(text: string): text is GuestErrorCode {
  return Object.hasOwn(GUEST_ERRORS, text);
}
