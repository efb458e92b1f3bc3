/**
 * Request bodies, bounded. How long they may take, the server limits.
 *
 * @module
 */
import { Readable } from 'node:stream';
import { A3sError } from '../../errors.ts';

/** @throws A3sError `too-large`, `kbs-request` for a request that ends early */
export async function readBody(request: Request, maxBytes: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  const body: AsyncIterable<Uint8Array> = request.body ?? Readable.from([]);
  for await (const chunk of unbroken(body)) {
    size += chunk.length;
    if (size > maxBytes) {
      throw new A3sError('too-large', `The request's body is larger than ${maxBytes} bytes`);
    }
    parts.push(chunk);
  }
  return Buffer.concat(parts);
}

/** A stream fails when its client goes away, which is no failure of the broker. */
async function* unbroken(body: AsyncIterable<Uint8Array>): AsyncGenerator<Uint8Array> {
  try {
    yield* body;
  } catch (cause) {
    throw new A3sError('kbs-request', 'The request ended before its body did', { cause });
  }
}

/** Undefined for what is no JSON: no schema takes it. @throws A3sError `too-large` */
export async function readJsonBody(request: Request, maxBytes: number): Promise<unknown> {
  const bytes = await readBody(request, maxBytes);
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    return undefined;
  }
}
