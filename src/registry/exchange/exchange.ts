/**
 * One request to a repository, and its answer.
 *
 * @module
 */

import { A3sError } from '../../errors.ts';
import type { RegistryRequest, RegistryResponse } from '../http/message.ts';
import { Attempts, Cut, isCut } from './attempts.ts';
import { BodyReader } from './exchange-body.ts';
import { broken, quoted, type RepositoryContext } from './repository-context.ts';

/** Bytes of an unwanted answer that are still read. */
const MAX_IGNORED_BYTES = 64 * 1024;

/** Has the scopes of the repository, unless the request names its own. */
export type Request = Omit<RegistryRequest, 'scopes' | 'signal'> &
  Partial<Pick<RegistryRequest, 'scopes'>>;

export interface Exchange extends Omit<RegistryResponse, 'body'> {
  /**
   * Fails with a `Cut` where the connection does, or where it is slower than retryLimits allows.
   */
  readonly body: AsyncIterable<Uint8Array>;
  /** Ends it before the body does. */
  drop(): Promise<void>;
}

/** @throws what the transport throws; the signal's reason once it is aborted */
export async function exchange(
  context: RepositoryContext,
  request: Request,
  what: string,
): Promise<Exchange> {
  context.signal?.throwIfAborted();
  const ended = new AbortController();
  const signals = [ended.signal, ...(context.signal === undefined ? [] : [context.signal])];
  const { body, ...head } = await context.transport.send({
    scopes: context.scopes,
    ...request,
    headers: { 'accept-encoding': 'identity', ...request.headers },
    signal: AbortSignal.any(signals),
  });
  const reader = new BodyReader(body, { context, ended, what });
  return { ...head, body: { [Symbol.asyncIterator]: () => reader }, drop: () => reader.drop() };
}

/** Sends a request whose answer needs no body. */
export async function exchangeHead(
  context: RepositoryContext,
  request: Request,
  what: string,
): Promise<Omit<RegistryResponse, 'body'>> {
  const { body, drop, ...head } = await exchange(context, request, what);
  let length = 0;
  try {
    // Once the body is read to its end, the connection can serve the next request.
    for await (const chunk of body) {
      length += chunk.length;
      if (length > MAX_IGNORED_BYTES) break;
    }
  } catch (error) {
    if (!isCut(error)) throw error;
    // The request has taken effect, whether or not the rest of the answer comes.
    await drop();
  }
  return head;
}

export interface Document extends Omit<RegistryResponse, 'body'> {
  readonly bytes: Buffer;
}

/**
 * A whole answer of at most `maxBytes`, asked for again where the connection is cut.
 *
 * @throws A3sError `too-large`
 */
export async function exchangeDocument(
  context: RepositoryContext,
  request: Request,
  { what, maxBytes }: { readonly what: string; readonly maxBytes: number },
): Promise<Document> {
  const attempts = new Attempts(context.retryLimits, 0, context.signal);
  for (;;) {
    try {
      const { body, drop, ...head } = await exchange(context, request, what);
      try {
        requirePlain(head.headers, what);
        return { ...head, bytes: await collect(head.headers, body, what, maxBytes) };
      } finally {
        await drop();
      }
    } catch (error) {
      // Without any answer, the transport has already tried again.
      if (!(error instanceof Cut)) throw error;
      await attempts.next(error, { progressed: false });
    }
  }
}

/** Refuses compressed answers: we ask for none, and their decompressed size would have no bound. */
export function requirePlain(headers: Exchange['headers'], what: string): void {
  const encoding = headers['content-encoding'];
  if (encoding === undefined || encoding.toLowerCase() === 'identity') return;
  throw broken(what, `the answer has the encoding ${quoted(encoding)}, which was not asked for`);
}

/** The number in `Content-Length`; undefined where there is none. */
export function contentLength(headers: Exchange['headers'], what: string): number | undefined {
  const text = headers['content-length'];
  if (text === undefined) return undefined;
  if (!/^\d{1,15}$/.test(text)) throw broken(what, `its length ${quoted(text)} is not a number`);
  return Number(text);
}

async function collect(
  headers: Exchange['headers'],
  body: AsyncIterable<Uint8Array>,
  what: string,
  maxBytes: number,
): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  const announced = contentLength(headers, what);
  let length = 0;
  const bound = (size: number): void => {
    if (size > maxBytes) {
      throw new A3sError('too-large', `Cannot read ${what}: it has more than ${maxBytes} bytes`);
    }
  };
  bound(announced ?? 0);
  for await (const chunk of body) {
    length += chunk.length;
    bound(length);
    chunks.push(chunk);
  }
  if (announced !== undefined && length !== announced) {
    throw new Cut(what, `it ends after ${length} of ${announced} bytes`);
  }
  return Buffer.concat(chunks);
}
