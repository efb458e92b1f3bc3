/**
 * From the agent's errors to the host's. The guest's words are untrusted: they reach terminals and
 * logs, so they are bounded and hold no control characters.
 *
 * @module
 */
import { A3sError, type ErrorCode } from '../errors.ts';
import { narrow } from '../narrow.ts';
import { GuestErrorBody, type GuestErrorCode } from './protocol.ts';

const MAX_TEXT = 1024;

const HOST_CODE: Readonly<Record<GuestErrorCode, ErrorCode>> = {
  invalid: 'invalid-argument',
  'not-found': 'no-such-exec',
  conflict: 'conflict',
  'spec-missing': 'agent-failed',
  'too-large': 'too-large',
  'offset-gone': 'agent-failed',
  'command-not-found': 'command-not-found',
  'command-not-executable': 'command-not-executable',
  'user-not-found': 'user-not-found',
  'cwd-invalid': 'cwd-invalid',
  'protocol-unsupported': 'agent-failed',
  'setup-failed': 'agent-failed',
  'host-not-permitted': 'host-not-permitted',
  'launch-spec-malformed': 'launch-spec-mismatch',
  'launch-spec-mismatch': 'launch-spec-mismatch',
  'verity-mismatch': 'verity-mismatch',
  'tee-unavailable': 'tee-unavailable',
};

/** `text` on one line, without control and text-direction characters, of at most 1024 characters. */
export function guestText(text: string): string {
  const clean = text
    .slice(0, 4 * MAX_TEXT)
    .replace(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\p{Cs}]+/gu, ' ')
    .trim();
  return clean.length > MAX_TEXT ? `${clean.slice(0, MAX_TEXT)}…` : clean;
}

/** What the agent itself said, as against a connection that broke. */
export class GuestRefusal extends A3sError {}

/** The error that an answer with a status other than 2xx stands for. */
export function refusal(route: string, status: number, body: unknown): A3sError {
  const parsed = narrow(GuestErrorBody, body);
  if (!parsed.success) {
    return new A3sError('agent-failed', `The guest agent answered ${route} with status ${status}`);
  }
  const { code, message } = parsed.data.error;
  const known = Object.hasOwn(HOST_CODE, code) ? HOST_CODE[code as GuestErrorCode] : 'agent-failed';
  return new GuestRefusal(known, guestText(message) || `The guest agent refused ${route}`);
}

/** The error for a connection or a stream that broke, or an answer that cannot be read. */
export function agentFailed(what: string, cause?: unknown): A3sError {
  return new A3sError('agent-failed', `The guest agent failed: ${what}`, { cause });
}
