/**
 * Applies the table of routes: one dispatch for ordinary requests and for upgraded connections, so
 * that both pass the same checks.
 *
 * @module
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { RESPONSE_ALREADY_SENT } from '@hono/node-server/utils/response';
import { type Context, Hono } from 'hono';
import { linkedSignal } from '../../async/linked-signal.ts';
import type { Runtime } from '../../boxes/runtime.ts';
import { A3sError } from '../../errors.ts';
import { API_VERSION, MIN_API_VERSION, splitVersion } from '../version.ts';
import type { Answer } from './answer.ts';
import {
  chunkedStream,
  drop,
  type HijackedStream,
  rawStream,
  serveStream,
  webSocketHijack,
} from './connection.ts';
import { failureOf } from './failure.ts';
import { iterateBody, responseOf } from './response.ts';
import type { Access, Route } from './route.ts';

export interface Bindings {
  readonly incoming: IncomingMessage;
  /** Absent on an upgraded connection. */
  readonly outgoing?: ServerResponse;
  /** Present on an upgraded connection. */
  readonly upgraded?: Upgraded;
}

/** An upgraded connection, and whether a handler took it. */
export interface Upgraded {
  readonly stream: HijackedStream;
  readonly signal: AbortSignal;
  taken: Promise<void> | undefined;
}

/** What the router itself takes of the server. */
type RouterHost = Pick<Runtime, 'log' | 'shutdown'>;

export interface RouterOptions<Needs> {
  readonly routes: readonly Route<Needs>[];
  /** What the handlers take of the server. */
  readonly rt: Needs & RouterHost;
  /** Called with each error that a client is answered with. */
  readonly onRefusal?: (error: unknown) => void;
}

type App = Hono<{ Bindings: Bindings }>;
type AppContext = Context<{ Bindings: Bindings }>;

export function createRouter<Needs>({ routes, rt, onRefusal }: RouterOptions<Needs>): App {
  const app: App = new Hono({
    getPath: (request) => splitVersion(pathname(request.url))?.path ?? UNSERVED,
  });
  for (const route of routes) {
    app.on(route.method, route.path, (context) => dispatch(rt, route, context));
  }
  app.notFound((context) => refuse(rt, context, notFound(context)));
  app.onError((error, context) => {
    onRefusal?.(error);
    return refuse(rt, context, error);
  });
  return app;
}

/** Matches no route. */
const UNSERVED = '/\0';

function pathname(url: string): string {
  return new URL(url).pathname;
}

async function dispatch<Needs>(rt: Needs & RouterHost, route: Route<Needs>, context: AppContext) {
  authorize(route.access);
  const url = new URL(context.req.raw.url);
  const { outgoing, upgraded } = context.env;
  // Streams end with the server; otherwise the server could not end.
  const { signal, unlink } = linkedSignal(upgraded?.signal ?? whenClosed(outgoing), rt.shutdown);
  signal.addEventListener('abort', unlink);
  const call = {
    params: context.req.param(),
    query: url.searchParams,
    headers: context.req.raw.headers,
    body: iterateBody(hasBody(context.env.incoming) ? context.req.raw.body : null),
    // Routes of GET answer it too.
    head: context.req.raw.method === 'HEAD',
    apiVersion: splitVersion(url.pathname)?.minor ?? 0,
    signal,
  };
  const answer = await route.handle(call, rt);
  if (answer.kind !== 'hijack') return responseOf(answer, call.signal);
  return takeOver(rt, context, answer, call);
}

/**
 * RFC 9112, 6.3. A request without a body gets no stream and no object to hold it: most requests
 * have none.
 */
function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'] ?? '0';
  return length !== '0' || headers['transfer-encoding'] !== undefined;
}

/** Aborts when the answer is sent, or the client is gone. */
function whenClosed(outgoing: ServerResponse | undefined): AbortSignal {
  const closed = new AbortController();
  outgoing?.once('close', () => closed.abort());
  return closed.signal;
}

function takeOver(
  { log }: RouterHost,
  context: AppContext,
  answer: Extract<Answer, { kind: 'hijack' }>,
  call: { body: AsyncIterable<Uint8Array>; apiVersion: number; signal: AbortSignal },
): Response {
  const { incoming, outgoing, upgraded } = context.env;
  const onError = (error: unknown): void =>
    log.error('a connection broke off', error, { path: context.req.path });
  const serve = (stream: HijackedStream): Promise<void> =>
    serveStream(stream, answer, call.apiVersion, call.signal, onError);
  if (upgraded !== undefined) {
    // Unread bytes of a body must not become the next input.
    const { stream } = upgraded;
    const { webSocket } = answer;
    const taken =
      webSocket === undefined ? stream : webSocketHijack(stream, webSocket, call.apiVersion);
    upgraded.taken = drop(call.body).then(() => serve(taken));
  } else if (outgoing !== undefined && incoming.headers['transfer-encoding'] !== undefined) {
    void serve(chunkedStream(outgoing, call.body));
  } else if (outgoing !== undefined) {
    void drop(call.body).then(() => serve(rawStream(outgoing, incoming.socket)));
  }
  return RESPONSE_ALREADY_SENT;
}

/** Every process that can open the socket acts as its owner; there is no other way in. */
function authorize(access: Access): void {
  if (access !== 'owner') throw new A3sError('no-such-route', 'page not found');
}

function notFound(context: AppContext): A3sError {
  const { pathname } = new URL(context.req.raw.url);
  if (splitVersion(pathname) === undefined) {
    return new A3sError(
      'invalid-argument',
      `client version ${pathname.split('/')[1]?.slice(1, 12)} is not supported: this server speaks ${MIN_API_VERSION} to ${API_VERSION}`,
      { remedy: `Set DOCKER_API_VERSION=${API_VERSION}.` },
    );
  }
  return new A3sError(
    'no-such-route',
    `page not found: ${context.req.method} ${pathname.slice(0, 200)} is not part of this API`,
  );
}

function refuse({ log, shutdown }: RouterHost, context: AppContext, error: unknown): Response {
  const { status, body, unexpected } = failureOf(error);
  if (unexpected) {
    const { method, path } = context.req;
    log.error('a request failed', error, { method, path });
  }
  return responseOf({ kind: 'json', status, body }, shutdown);
}
