/**
 * Content digests. A value of type `Digest` has been checked: it can become part of a path.
 *
 * @module
 */
import { createHash } from 'node:crypto';

/** `sha256:` and 64 lower-case hexadecimal digits. Other algorithms are refused. */
export type Digest = `sha256:${string}`;

const DIGEST_PATTERN = /^sha256:[0-9a-f]{64}$/;

export function isDigest(text: string): text is Digest {
  return DIGEST_PATTERN.test(text);
}

/** The 64 digits, for file names. */
export function hexOf(digest: Digest): string {
  return digest.slice('sha256:'.length);
}

export function digestOf(bytes: Uint8Array): Digest {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}
