/**
 * The one error that users meet.
 *
 * Every refusal has a code from a closed list, says what was expected and found, and what to do
 * next. Codes are stable: programs branch on them, and they travel in the API's error bodies.
 *
 * @module
 */

/** Every code, with the HTTP status that the control server answers it with. */
export const ERROR_STATUS = {
  'invalid-argument': 400,
  'invalid-reference': 400,
  'invalid-image': 400,
  'unsupported-option': 400,
  'command-not-found': 400,
  'command-not-executable': 400,
  'user-not-found': 400,
  'cwd-invalid': 400,
  'bind-source-missing': 400,
  'policy-invalid': 400,
  'key-invalid': 400,
  'boot-set-invalid': 400,
  'registry-unauthorized': 401,
  'registry-denied': 403,
  'image-untrusted': 403,
  'host-not-permitted': 403,
  'known-vulnerable': 403,
  'no-such-image': 404,
  'not-in-registry': 404,
  'no-such-policy': 404,
  'no-such-template': 404,
  'no-such-snapshot': 404,
  'no-such-pool': 404,
  'no-such-boot-set': 404,
  'no-such-network': 404,
  'no-such-volume': 404,
  'no-such-box': 404,
  'no-such-exec': 404,
  'no-such-route': 404,
  'name-in-use': 409,
  'image-in-use': 409,
  'box-not-running': 409,
  'box-running': 409,
  'bind-source-changed': 409,
  conflict: 409,
  'too-large': 413,
  'registry-rate-limited': 429,
  'ratls-busy': 429,
  'registry-unreachable': 502,
  'registry-failed': 502,
  'port-in-use': 500,
  'disk-full': 500,
  'out-of-memory': 500,
  'boot-set-missing': 500,
  'launch-spec-mismatch': 500,
  'verity-mismatch': 500,
  'secrets-deadline': 500,
  'tool-missing': 500,
  'tee-unavailable': 500,
  'vmm-failed': 500,
  'template-unusable': 500,
  'agent-timeout': 500,
  'agent-failed': 500,
  'state-unusable': 500,
  'server-running': 500,
  'server-unreachable': 500,
  internal: 500,
  'not-implemented': 501,
  'not-in-swarm': 503,
} as const satisfies Record<string, number>;

/** A stable error code. */
export type ErrorCode = keyof typeof ERROR_STATUS;

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
