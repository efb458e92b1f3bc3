/**
 * The HTTP proxy of one builder, through which all its programs reach registries and other hosts.
 *
 * TLS ends here, by certificates of an authority that this builder alone trusts: the image policy
 * has to see which image is asked for.
 *
 * @module
 */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { Semaphore } from '../../async/semaphore.ts';
import { LeafCertificates } from '../../tls-proxy/leaf-certificates.ts';
import { OneRequest } from '../../tls-proxy/one-request.ts';
import type { Builder } from '../builder.ts';
import type { ProxyAnswers } from './proxy-answers.ts';

const CONNECTED = 'HTTP/1.1 200 Connection established\r\n\r\n';
const REFUSED = 'HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n';
/** Host names, addresses of IPv4, and of IPv6 in brackets. */
const AUTHORITY = /^(?:[A-Za-z0-9_.-]{1,255}|\[[0-9a-fA-F:.]{2,45}\]):\d{1,5}$/;
const WITH_BODY = ['POST', 'PUT'];
const MAX_HEADERS = 64 * 1024;
/** Of one builder. Its programs use a few at a time; a hostile one any number. */
const MAX_CONNECTIONS = 256;
/** Answered at a time; each holds a connection to a registry, or a document. */
const MAX_REQUESTS = 64;
/** For the head of each request, and for the beginning of TLS with the first head inside. */
const HEAD_MS = 30_000;
/** For a part of a response: the builder writes what it reads to its disk. */
const STALLED_MS = 120_000;

export interface ProxyLimits {
  readonly connections: number;
  readonly requests: number;
  readonly headMs: number;
  readonly stalledMs: number;
}

const LIMITS: ProxyLimits = {
  connections: MAX_CONNECTIONS,
  requests: MAX_REQUESTS,
  headMs: HEAD_MS,
  stalledMs: STALLED_MS,
};

/** Serves the builder's proxy; the function that it returns ends that, with all its connections. */
export function servePolicyProxy(
  builder: Builder,
  answers: ProxyAnswers,
  limits: ProxyLimits = LIMITS,
): () => void {
  const certificates = new LeafCertificates(builder.authority, 'a3s-box build proxy');
  /** Those of the builder, and those inside of TLS. */
  const connections = new Set<Duplex>();
  let outsideCount = 0;
  // Those of a server begin with its listening, and this one is handed its connections.
  const timers = new WeakMap<object, NodeJS.Timeout>();
  const disarm = (connection: object): void => clearTimeout(timers.get(connection));
  const arm = (connection: Duplex): void => {
    disarm(connection);
    if (connection.destroyed) return;
    timers.set(
      connection,
      setTimeout(() => connection.destroy(), limits.headMs),
    );
  };
  const serve = (server: Server, connection: Duplex): void => {
    connections.add(connection);
    connection.on('error', () => undefined);
    connection.once('close', () => {
      connections.delete(connection);
      disarm(connection);
    });
    arm(connection);
    server.emit('connection', connection);
  };
  const oneRequest = new OneRequest(limits.stalledMs);
  // As many wait as there are connections.
  const turns = new Semaphore(limits.requests);
  const serverFor = (originOf: (connection: object) => string | undefined): Server =>
    serverOf((request, response) => {
      const { socket } = request;
      const left = oneRequest.begin(socket, response);
      if (left === undefined) return;
      disarm(socket);
      response.once('close', () => arm(socket));
      const asked = { request, response, origin: originOf(socket), left };
      void turns.run(() => answer(asked, answers));
    });
  /** The origin of the requests on a connection whose TLS ends here. */
  const origins = new WeakMap<object, string>();
  const inside = serverFor((connection) => origins.get(connection));
  const outside = serverFor(() => undefined);
  outside.on('connect', (request: IncomingMessage, connection: Duplex, head: Buffer) => {
    if (oneRequest.begin(connection) === undefined) return;
    disarm(connection);
    const authority = request.url ?? '';
    const url = `https://${authority}`;
    if (!AUTHORITY.test(authority) || !URL.canParse(url)) {
      connection.end(REFUSED);
      return;
    }
    const { hostname, origin } = new URL(url);
    const host = hostname.startsWith('[') ? hostname.slice(1, -1) : hostname;
    connection.write(CONNECTED);
    if (head.length > 0) connection.unshift(head);
    const secured = new TLSSocket(connection as never, {
      isServer: true,
      secureContext: certificates.contextFor(host),
      ALPNProtocols: ['http/1.1'],
    });
    secured.once('close', () => connection.destroy());
    origins.set(secured, origin);
    serve(inside, secured);
  });
  const end = builder.serveProxy((connection) => {
    if (outsideCount >= limits.connections) {
      connection.on('error', () => undefined);
      connection.destroy();
      return;
    }
    outsideCount += 1;
    connection.once('close', () => {
      outsideCount -= 1;
    });
    serve(outside, connection);
  });
  return () => {
    end();
    for (const connection of connections) connection.destroy();
  };
}

function serverOf(listener: (request: IncomingMessage, response: ServerResponse) => void): Server {
  const server = createServer({ maxHeaderSize: MAX_HEADERS, requestTimeout: 0 }, listener);
  server.on('clientError', (_error, connection) => connection.destroy());
  return server;
}

interface AskedOfProxy {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  /** Of the requests inside of TLS, which name a path; others name a whole URL. */
  readonly origin: string | undefined;
  readonly left: AbortSignal;
}

async function answer(asked: AskedOfProxy, answers: ProxyAnswers): Promise<void> {
  const { request, response, origin, left } = asked;
  const target = request.url ?? '';
  const text = `${origin ?? ''}${target}`;
  // Behind an origin, what is no path would make another host of it.
  const isNamed = origin === undefined ? /^https?:\/\/[^/]/.test(text) : target.startsWith('/');
  // Of the bodies that are not read, nothing may wait on the connection.
  if (!WITH_BODY.includes(request.method ?? '')) request.resume();
  if (left.aborted) return;
  if (isNamed && URL.canParse(text)) {
    await answers.answer(request, response, new URL(text), left);
  } else {
    response.writeHead(400);
    response.end();
  }
  request.resume();
}
