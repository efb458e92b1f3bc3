/**
 * The one function through which this package uses a network.
 *
 * @module
 */
import { AttestationError } from '../../errors.ts';

/** The answer to a GET request. */
export interface FetchResponse {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  /** Empty where the status is not 200. */
  readonly body: Uint8Array;
}

/** Limits of one request. */
export interface FetchOptions {
  readonly signal: AbortSignal;
  /** No body is longer; reading stops there. */
  readonly maxBytes: number;
}

/**
 * Sends one GET request, without following redirects.
 *
 * Rejects with the signal's reason once that aborts, and with anything where there is no answer. A
 * caller with a proxy, a mirror or a cache of its own supplies another.
 */
export type Fetch = (url: string, options: FetchOptions) => Promise<FetchResponse>;

/**
 * {@link Fetch} by Node's own `fetch`.
 *
 * @throws AttestationError `kds-response` if the body is longer than allowed.
 */
export const httpsFetch: Fetch = async (url, { signal, maxBytes }) => {
  const response = await fetch(url, { signal, redirect: 'manual' });
  const { status, headers } = response;
  const chunks: AsyncIterable<Uint8Array> | readonly Uint8Array[] = response.body ?? [];
  return { status, headers, body: await concat(chunks, status === 200 ? maxBytes : 0, status) };
};

/** All bytes of the body; the body of any other answer is not read. */
async function concat(
  chunks: AsyncIterable<Uint8Array> | readonly Uint8Array[],
  maxBytes: number,
  status: number,
): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let length = 0;
  for await (const chunk of chunks) {
    // Leaving the loop closes the connection.
    if (status !== 200) break;
    length += chunk.length;
    if (length > maxBytes) throw tooLong(maxBytes);
    parts.push(chunk);
  }
  const bytes = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

/** `kds-response`: the body of an answer is longer than allowed. */
export function tooLong(maxBytes: number): AttestationError {
  return new AttestationError('kds-response', 'Cannot use the answer: it is too long.', {
    expected: `at most ${maxBytes} bytes`,
    found: 'more',
  });
}
