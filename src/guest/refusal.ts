/**
 * Converts the agent's errors to the host's. The guest's text is untrusted: it reaches terminals
 * and logs, so it is bounded and holds no control characters.
 *
 * @module
 */
import { A3sError } from '../errors.ts';
import { narrow } from '../narrow.ts';
import { GUEST_ERRORS, type GuestErrorCode, isGuestErrorCode } from './guest-errors.ts';
import { GuestErrorBody } from './protocol.ts';

const MAX_TEXT = 1024;
/** A field of a launch spec, such as `rootfs.layers`. */
const FIELD = /^[a-zA-Z]{1,32}(\.[a-zA-Z]{1,32}){0,3}$/;

/**
 * `text` on one line, without control and text-direction characters, of at most 1024 characters.
 */
export function guestText(text: string): string {
  const clean = text
    .slice(0, 4 * MAX_TEXT)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, ' ')
    .trim();
  return clean.length > MAX_TEXT ? `${clean.slice(0, MAX_TEXT)}…` : clean;
}

/** An error that the agent itself answered, as opposed to a broken connection. */
export class GuestRefusal extends A3sError {
  /** The agent's own code; undefined where the host does not know it. */
  readonly guestCode: GuestErrorCode | undefined;
  /** The field of the launch spec by which a confidential guest refuses, as it says. */
  readonly rule: string | undefined;

  constructor(guestCode: GuestErrorCode | undefined, message: string, rule?: string) {
    super(guestCode === undefined ? 'agent-failed' : GUEST_ERRORS[guestCode].code, message);
    this.guestCode = guestCode;
    this.rule = rule;
  }
}

/**
 * Why the agent would refuse the same request again; undefined where it, or an agent on a new
 * connection, may accept it.
 */
export function finality(error: unknown): 'state' | 'request' | undefined {
  if (!(error instanceof GuestRefusal) || error.guestCode === undefined) return undefined;
  return GUEST_ERRORS[error.guestCode].final;
}

/** Makes the error for an answer with a status other than 2xx. */
export function refusal(route: string, status: number, body: unknown): A3sError {
  const parsed = narrow(GuestErrorBody, body);
  if (!parsed.success) {
    return new A3sError('agent-failed', `The guest agent answered ${route} with status ${status}`);
  }
  const { code, message, rule = '' } = parsed.data.error;
  const known = isGuestErrorCode(code) ? code : undefined;
  const text = guestText(message) || `The guest agent refused ${route}`;
  return new GuestRefusal(known, text, FIELD.test(rule) ? rule : undefined);
}

/** Makes the error for a connection or a stream that broke, or an answer that cannot be read. */
export function agentFailed(what: string, cause?: unknown): A3sError {
  return new A3sError('agent-failed', `The guest agent failed: ${what}`, { cause });
}
