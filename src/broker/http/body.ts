/**
 * Request bodies, bounded. How long they may take, the server limits.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

/** @throws A3sError `too-large` */
export async function readBody(request: Request, maxBytes: number): Promise<Buffer> {
  const parts: Uint8Array[] = [];
  let size = 0;
  for await (const chunk of request.body ?? []) {
    size += chunk.length;
    if (size > maxBytes) {
      throw new A3sError('too-large', `The request's body is larger than ${maxBytes} bytes`);
    }
    parts.push(chunk);
  }
  return Buffer.concat(parts);
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
