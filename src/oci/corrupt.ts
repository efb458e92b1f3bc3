import { A3sError } from '../errors.ts';

/** The error that a reader throws for a malformed archive; `what` names the archive. */
export function corrupt(what: string, reason: string): A3sError {
  return new A3sError('invalid-image', `Cannot read ${what}: ${reason}`);
}

/**
 * A name from an archive as text for people: the name may hold any bytes, control characters among
 * them.
 */
export function printable(name: string): string {
  const text = Buffer.from(name, 'latin1').toString('utf8');
  return JSON.stringify(text.length > 200 ? `${text.slice(0, 200)}…` : text);
}
