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
    const present = Object.hasOwn(filled, header) ? filled[header] : undefined;
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
 * Passes bytes on, except the last ones while more can make a value of them. Fails with
 * `SecretReturned` where a value comes.
 *
 * What it holds back does not depend on what the values are, only on how long the longest is: the
 * box may choose what a host answers with, and sees how the answer is cut. From bytes that are held
 * because a value begins with them it would learn the value, one byte after the other.
 */
export class WithoutSecrets extends Transform {
  readonly #values: readonly { readonly name: string; readonly bytes: Buffer }[];
  readonly #longest: number;
  #held: Buffer = Buffer.alloc(0);

  constructor(secrets: readonly KeptSecret[]) {
    super();
    this.#values = secrets.map(({ name, value }) => ({ name, bytes: Buffer.from(value) }));
    this.#longest = Math.max(...this.#values.map(({ bytes }) => bytes.length));
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    const bytes = this.#held.length === 0 ? chunk : Buffer.concat([this.#held, chunk]);
    const found = this.#values.find((value) => bytes.includes(value.bytes));
    if (found !== undefined) {
      done(new SecretReturned(found.name));
      return;
    }
    const held = printableAtEnd(bytes, this.#longest - 1);
    this.#held = bytes.subarray(bytes.length - held);
    done(null, bytes.subarray(0, bytes.length - held));
  }

  override _flush(done: TransformCallback): void {
    done(null, this.#held);
  }
}

/** How many bytes at the end can be in a value, which is printable ASCII, up to a number. */
function printableAtEnd(bytes: Buffer, most: number): number {
  let length = 0;
  while (length < most && isPrintable(bytes[bytes.length - 1 - length])) length += 1;
  return length;
}

/** A line break is not, so that the events of a stream and lines pass at once. */
function isPrintable(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x20 && byte <= 0x7e;
}
