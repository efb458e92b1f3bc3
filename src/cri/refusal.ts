/**
 * Refusals of what a request asks for.
 *
 * @module
 */
import { A3sError } from '../errors.ts';

/** The limit of what a refusal quotes. */
const MOST_QUOTED = 128;

/** @param field as CRI names it @param reason why no pod or container can have it */
export function unsupported(field: string, reason: string): A3sError {
  return new A3sError('unsupported-option', `${field} is not supported: ${reason}`, {
    remedy: 'Leave it out; docs/boxes/kubernetes.md has what pods can have.',
  });
}

/** @param field as CRI names it */
export function invalid(field: string, reason: string): A3sError {
  return new A3sError('invalid-argument', `${field} cannot be used: ${reason}`);
}

export function quoted(text: string): string {
  return JSON.stringify(text.slice(0, MOST_QUOTED));
}
