/**
 * Puts values of egress secrets into the headers of a request, and finds them in what comes back.
 *
 * @module
 */
import { Transform, type TransformCallback } from 'node:stream';
import type { KeptSecret } from '../secrets.ts';

export type Headers = Record<string, string | string[]>;

/** The headers with values in place of placeholders, each secret in its own header alone. */
export function withValues(headers: Headers, secrets: readonly KeptSecret[]): Headers {
  const filled = { ...headers };
  for (const { header, placeholder, value } of secrets) {
    const present = filled[header];
    if (present === undefined) continue;
    const fill = (text: string): string => text.replaceAll(placeholder, () => value);
    filled[header] = typeof present === 'string' ? fill(present) : present.map(fill);
  }
  return filled;
}

/** The name of a secret whose value is in one of these texts. */
export function secretIn(
  texts: readonly string[],
  secrets: readonly KeptSecret[],
): string | undefined {
  return secrets.find(({ value }) => texts.some((text) => text.includes(value)))?.name;
}

/** The value of a secret is in what came back. */
export class SecretReturned extends Error {
  /** Of the secret. */
  readonly secret: string;

  constructor(secret: string) {
    super('the answer repeats a secret');
    this.secret = secret;
  }
}

/**
 * Passes bytes on, except those that could be the beginning of a value until it is known that they
 * are not. Fails with `SecretReturned` where a value comes.
 */
export class WithoutSecrets extends Transform {
  readonly #values: readonly { readonly name: string; readonly bytes: Buffer }[];
  #held: Buffer = Buffer.alloc(0);

  constructor(secrets: readonly KeptSecret[]) {
    super();
    this.#values = secrets.map(({ name, value }) => ({ name, bytes: Buffer.from(value) }));
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const found = this.#values.find((value) => bytes.includes(value.bytes));
    if (found !== undefined) {
      done(new SecretReturned(found.name));
      return;
    }
    const held = Math.max(...this.#values.map((value) => begunAtEnd(bytes, value.bytes)));
    this.#held = bytes.subarray(bytes.length - held);
    done(null, bytes.subarray(0, bytes.length - held));
  }

  override _flush(done: TransformCallback): void {
    done(null, this.#held);
  }
}

/** How many bytes at the end are the first ones of a value, and not all of it. */
function begunAtEnd(bytes: Buffer, value: Buffer): number {
  const start = Math.max(0, bytes.length - value.length + 1);
  for (let at = bytes.indexOf(value[0] ?? 0, start); at >= 0; ) {
    const length = bytes.length - at;
    if (bytes.compare(value, 0, length, at) === 0) return length;
    at = bytes.indexOf(value[0] ?? 0, at + 1);
  }
  return 0;
}
