/**
 * Content digests. A value of type `Digest` has been checked: it can become part of a path.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { A3sError } from '../errors.ts';

/** `sha256:` and 64 lower-case hexadecimal digits. Other algorithms are refused. */
export type Digest = `sha256:${string}`;

export const DIGEST_PATTERN = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  return DIGEST_PATTERN.test(text);
}

/** @throws A3sError `invalid-image` when `text` is not a digest; `what` names it in the message. */
export function parseDigest(text: string, what: string): Digest {
  if (isDigest(text)) return text;
  throw new A3sError(
    'invalid-image',
    `Cannot use ${what}: its digest must be sha256: and 64 hexadecimal digits, and is ${JSON.stringify(text.slice(0, 100))}`,
  );
}

export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

/** The 64 digits, for file names. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}
