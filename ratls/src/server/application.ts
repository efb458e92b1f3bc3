/**
 * An application that answers `Request` with `Response`, such as one of Hono, behind HTTP/2.
 *
 * @module
 */
import type { IncomingHttpHeaders, OutgoingHttpHeaders, ServerHttp2Stream } from 'node:http2';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { ReadableStream } from 'node:stream/web';
import { isOver } from './streams.ts';

/** Where a request came from. */
export interface ClientConnection {
  readonly remoteAddress: string | undefined;
}

/** What is served: Hono's applications are like this. */
export interface Application {
  fetch(request: Request, connection: ClientConnection): Response | Promise<Response>;
}

/** Passes a request to the application, and returns its answer. */
export async function answer(
  app: Application,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
): Promise<void> {
  const request = requestOf(stream, headers);
  if (request === undefined) {
    stream.respond({ ':status': 400 }, { endStream: true });
    return;
  }
  const remoteAddress = stream.session?.socket.remoteAddress;
  const response = await app.fetch(request, { remoteAddress });
  if (isOver(stream)) return;
  const { body } = response;
  if (body === null) {
    stream.respond(headersOf(response), { endStream: true });
    return;
  }
  stream.respond(headersOf(response));
  await pipeline(Readable.fromWeb(body as Parameters<typeof Readable.fromWeb>[0]), stream);
}

/** Undefined for a request that `fetch` could not make. */
function requestOf(stream: ServerHttp2Stream, headers: IncomingHttpHeaders): Request | undefined {
  const { ':method': method = 'GET', ':path': path = '/', ':authority': authority } = headers;
  const bodiless = method === 'GET' || method === 'HEAD';
  if (bodiless) stream.resume();
  try {
    return new Request(new URL(path, `https://${authority ?? 'a3s-box'}`), {
      method,
      headers: plainHeaders(headers),
      ...(bodiless ? {} : { body: bodyOf(stream), duplex: 'half' }),
    });
  } catch {
    return undefined;
  }
}

/** Stops at the end of the request: the answer is still to be written to the same stream. */
function bodyOf(stream: ServerHttp2Stream): NonNullable<RequestInit['body']> {
  return ReadableStream.from<Buffer>(stream.iterator({ destroyOnReturn: false }));
}

function plainHeaders(headers: IncomingHttpHeaders): Headers {
  const plain = new Headers();
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith(':')) continue;
    for (const one of [value ?? []].flat()) plain.append(name, one);
  }
  return plain;
}

function headersOf(response: Response): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = { ':status': response.status };
  for (const [name, value] of response.headers) {
    // A header that may not be joined with others of its name.
    if (name !== 'set-cookie') headers[name] = value;
  }
  const cookies = response.headers.getSetCookie();
  if (cookies.length > 0) headers['set-cookie'] = cookies;
  return headers;
}
