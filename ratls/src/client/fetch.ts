/**
 * An application's requests over a verified session, with the types of `fetch`.
 *
 * @module
 */
import type { ClientHttp2Session, ClientHttp2Stream, IncomingHttpHeaders } from 'node:http2';
import { constants } from 'node:http2';
import { ReadableStream } from 'node:stream/web';
import { RatlsError } from '../errors.ts';
import { openStream, streamFailure } from './exchange.ts';
import { interruption } from './interruption.ts';

/** The options of `fetch` that apply here. */
export interface FetchInit {
  readonly method?: string;
  readonly headers?: Headers | Readonly<Record<string, string>>;
  readonly body?: string | Uint8Array;
  readonly signal?: AbortSignal;
}

/** Statuses whose answer has no body. */
const WITHOUT_BODY: ReadonlySet<number> = new Set([204, 205, 304]);

/** Headers of HTTP/1 that must not be sent in HTTP/2. */
const HOP_BY_HOP: ReadonlySet<string> = new Set([
  'connection',
  'host',
  'keep-alive',
  'proxy-connection',
  'transfer-encoding',
  'upgrade',
]);

/** @throws {RatlsError} `closed`, `aborted`, `protocol` */
export async function fetchOver(
  session: ClientHttp2Session,
  path: string,
  { method = 'GET', headers = {}, body, signal }: FetchInit,
): Promise<Response> {
  if (!path.startsWith('/')) throw new TypeError('Cannot fetch: the path must begin with a slash');
  if (signal?.aborted) throw interruption(signal);
  const stream = openStream(
    session,
    { ...sent(headers), ':method': method, ':path': path },
    signal === undefined ? {} : { signal },
  );
  stream.end(body);
  const answered = await answerOf(stream, signal);
  const status = answered[':status'] ?? 0;
  if (status < 200 || status > 599) {
    stream.destroy();
    throw new RatlsError('protocol', 'Cannot understand the peer: its status is none.', {
      found: `${status}`,
    });
  }
  const init = { status, headers: received(answered) };
  if (method === 'HEAD' || WITHOUT_BODY.has(status)) {
    stream.resume();
    return new Response(null, init);
  }
  return new Response(ReadableStream.from<Buffer>(bodyOf(stream)), init);
}

/** A body that breaks off is incomplete, however it ends. */
async function* bodyOf(stream: ClientHttp2Stream): AsyncGenerator<Buffer> {
  try {
    yield* stream.iterator({ destroyOnReturn: false });
    if (stream.rstCode !== constants.NGHTTP2_NO_ERROR) {
      throw streamFailure(new Error(`the stream was closed with ${stream.rstCode}`));
    }
  } finally {
    stream.destroy();
  }
}

function answerOf(
  stream: ClientHttp2Stream,
  signal: AbortSignal | undefined,
): Promise<IncomingHttpHeaders & { ':status'?: number }> {
  return new Promise((resolve, reject) => {
    stream.once('response', resolve);
    // Later errors reach the reader of the body.
    stream.on('error', (error) => {
      reject(signal?.aborted ? interruption(signal) : streamFailure(error));
    });
    stream.once('close', () => {
      reject(streamFailure(new Error(`the stream was closed with ${stream.rstCode}`)));
    });
  });
}

function sent(headers: Headers | Readonly<Record<string, string>>): Record<string, string> {
  const entries = [...new Headers(headers)].filter(([name]) => !HOP_BY_HOP.has(name));
  return Object.fromEntries(entries);
}

function received(answered: IncomingHttpHeaders): Headers {
  const headers = new Headers();
  for (const [name, value] of Object.entries(answered)) {
    if (name.startsWith(':')) continue;
    for (const one of [value ?? []].flat()) headers.append(name, one);
  }
  return headers;
}
