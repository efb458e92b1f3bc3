/**
 * The one error that users meet.
 *
 * Every refusal has a code from a closed list, says what was expected and found, and what to do
 * next. Codes are stable: programs branch on them, and they travel in the API's error bodies.
 *
 * @module
 */

/** What is known of a code. */
interface ErrorRow {
  /** HTTP status of the control server's answer. */
  readonly status: number;
  /** Docker's exit code of a box whose start fails with it; see `exit-code.ts`. */
  readonly exitCode?: 125 | 126 | 127;
  /** A start that fails with it fails so again: no restart policy repeats it. */
  readonly lasting?: true;
  /**
   * Whether the template or the pooled microVM is the cause where a start from it fails with this.
   * The box boots without it then. `none`: a boot does not need the copy of a template's memory.
   */
  readonly machineFault?: 'certain' | 'possible' | 'none';
  /** The server refuses what it never does: its log does not need to say so. */
  readonly unlogged?: true;
}

const ROWS = {
  'invalid-argument': { status: 400, lasting: true },
  'invalid-reference': { status: 400 },
  'invalid-image': { status: 400, lasting: true },
  'unsupported-option': { status: 400, lasting: true },
  'command-not-found': { status: 400, exitCode: 127, lasting: true },
  'command-not-executable': { status: 400, exitCode: 126, lasting: true },
  'user-not-found': { status: 400, lasting: true },
  'cwd-invalid': { status: 400, lasting: true },
  'bind-source-missing': { status: 400 },
  'policy-invalid': { status: 400, exitCode: 125, lasting: true },
  'key-invalid': { status: 400 },
  'boot-set-invalid': { status: 400, lasting: true },
  'registry-unauthorized': { status: 401 },
  'registry-denied': { status: 403 },
  'image-untrusted': { status: 403, exitCode: 125, lasting: true },
  'host-not-permitted': { status: 403, lasting: true },
  'known-vulnerable': { status: 403, exitCode: 125, lasting: true },
  'no-such-image': { status: 404, lasting: true },
  'not-in-registry': { status: 404 },
  'no-such-policy': { status: 404, exitCode: 125, lasting: true },
  'no-such-template': { status: 404 },
  'no-such-snapshot': { status: 404 },
  'no-such-pool': { status: 404 },
  'no-such-boot-set': { status: 404 },
  'no-such-network': { status: 404 },
  'no-such-volume': { status: 404 },
  'no-such-box': { status: 404 },
  'no-such-exec': { status: 404 },
  'no-such-route': { status: 404 },
  'name-in-use': { status: 409 },
  'image-in-use': { status: 409 },
  'box-not-running': { status: 409 },
  'box-running': { status: 409 },
  'bind-source-changed': { status: 409 },
  conflict: { status: 409 },
  'too-large': { status: 413 },
  'registry-rate-limited': { status: 429 },
  'ratls-busy': { status: 429 },
  'registry-unreachable': { status: 502 },
  'registry-failed': { status: 502 },
  'port-in-use': { status: 500 },
  'disk-full': { status: 500 },
  'out-of-memory': { status: 500, machineFault: 'none' },
  'boot-set-missing': { status: 500, lasting: true },
  'launch-spec-mismatch': { status: 500, exitCode: 125, lasting: true },
  'verity-mismatch': { status: 500, exitCode: 125, lasting: true },
  'secrets-deadline': { status: 500, exitCode: 125 },
  'tool-missing': { status: 500 },
  'tee-unavailable': { status: 500, exitCode: 125 },
  'vmm-failed': { status: 500, machineFault: 'possible' },
  'template-unusable': { status: 500, machineFault: 'certain' },
  'agent-timeout': { status: 500, machineFault: 'possible' },
  'agent-failed': { status: 500, machineFault: 'possible' },
  'state-unusable': { status: 500 },
  'server-running': { status: 500 },
  'server-unreachable': { status: 500 },
  internal: { status: 500 },
  'not-implemented': { status: 501, unlogged: true },
  'not-in-swarm': { status: 503, unlogged: true },
} as const satisfies Record<string, ErrorRow>;

/** A stable error code. */
export type ErrorCode = keyof typeof ROWS;

/** Everything that depends on a code: nobody else lists codes by what they have in common. */
export const ERRORS: Readonly<Record<ErrorCode, ErrorRow>> = ROWS;

/** An error with a stable code, a message for people, and the next step where there is one. */
export class A3sError extends Error {
  override readonly name = 'A3sError';
  readonly code: ErrorCode;
  /** What to do next, as one sentence; printed after the message. */
  readonly remedy: string | undefined;

  constructor(
    code: ErrorCode,
    message: string,
    options: { remedy?: string | undefined; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.code = code;
    this.remedy = options.remedy;
  }
}

/** What a mirror gave was wrong. It is not asked again for a while: the same thing from its start may come right. */
export class MirrorError extends A3sError {}
