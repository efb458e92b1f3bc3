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

/** @param content a text is hashed in UTF-8 */
export function digestOf(content: Uint8Array | string): Digest {
  const digester = new Digester();
  digester.update(content);
  return digester.digest();
}

/** Hashes content that arrives in pieces. */
export class Digester {
  readonly #hash = createHash('sha256');

  update(content: Uint8Array | string): void {
    this.#hash.update(content);
  }

  /** Called once, after the last piece. */
  digest(): Digest {
    return `sha256:${this.#hash.digest('hex')}`;
  }
}
