/**
 * A server that shows evidence: TLS 1.3 and HTTP/2. It answers challenges before the application
 * sees any request.
 *
 * @module
 */
import { constants as tls } from 'node:crypto';
import { once } from 'node:events';
import {
  constants,
  createSecureServer,
  type Http2SecureServer,
  type IncomingHttpHeaders,
  type ServerHttp2Stream,
} from 'node:http2';
import type { AddressInfo, Socket } from 'node:net';
import { type Application, answer } from './application.ts';
import { type Attester, attest } from './attest.ts';
import { type ClientLimits, Clients } from './clients.ts';
import type { EvidenceSource } from './evidence-source.ts';
import { RateLimit } from './rate-limit.ts';
import { fail } from './streams.ts';

/** Bounds on a server's resources for any peer. */
export interface ServeLimits {
  readonly connections: number;
  /** Milliseconds in which a handshake has to be done. */
  readonly handshake: number;
  /** Milliseconds that a connection may lie idle. */
  readonly idle: number;
  /** Requests at once in one connection. */
  readonly streams: number;
  /** Milliseconds in which the body of a request has to arrive. Absent: any time. */
  readonly request?: number | undefined;
  /** Rates of challenges: of one connection, and of all together. */
  readonly attestations: { readonly burst: number; readonly perSecond: number };
  readonly allAttestations: { readonly burst: number; readonly perSecond: number };
  /**
   * Of one address of IPv4, or 64 bits of IPv6. With it, the oldest connection without a request
   * gives way where all are taken. Absent: one client may hold everything.
   */
  readonly client?: ClientLimits | undefined;
}

export const SERVE_LIMITS: ServeLimits = {
  connections: 256,
  handshake: 10_000,
  idle: 120_000,
  streams: 64,
  attestations: { burst: 4, perSecond: 0.2 },
  allAttestations: { burst: 32, perSecond: 16 },
};

export interface ServeOptions {
  /** In a box: `agentEvidence()`. */
  readonly evidence: EvidenceSource;
  /** All addresses where it is not given: the box has only its own. */
  readonly host?: string | undefined;
  readonly port: number;
  readonly limits?: Partial<ServeLimits> | undefined;
}

export interface RatlsServer {
  readonly port: number;
  /** Ends it and all its connections. */
  close(): Promise<void>;
}

/**
 * Serves an application over RA-TLS, with a new key and a certificate that carries evidence.
 *
 * This server answers `POST /attest`; the application answers every other request.
 */
export async function serve(app: Application, options: ServeOptions): Promise<RatlsServer> {
  const { evidence: source, host, port } = options;
  const limits = { ...SERVE_LIMITS, ...options.limits };
  // Loaded on demand: a client does not need the code that makes certificates.
  const { selfSigned } = await import('./self-signed.ts');
  const own = await selfSigned(source);
  const server = secureServer(own, limits);
  const clients = limits.client && new Clients(limits.client, limits.connections);
  if (clients === undefined) server.maxConnections = limits.connections;
  else server.on('connection', (socket) => clients.admit(socket));
  const attester = { source, spki: own.spki, permits: permission(limits, clients) };
  server.on('stream', (stream, headers) => {
    stream.on('error', () => {});
    clients?.requested(stream.session?.socket);
    boundBody(stream, limits.request);
    handle(app, attester, stream, headers).catch(() => fail(stream));
  });
  boundSessions(server, limits.idle);
  const sockets = keepSockets(server);
  server.listen(port, host);
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    async close() {
      const closed = once(server, 'close');
      server.close();
      for (const socket of sockets) socket.destroy();
      await closed;
    },
  };
}

function secureServer(
  own: { readonly key: string; readonly certificate: string },
  limits: ServeLimits,
): Http2SecureServer {
  const server = createSecureServer({
    key: own.key,
    cert: own.certificate,
    minVersion: 'TLSv1.3',
    maxVersion: 'TLSv1.3',
    ALPNProtocols: ['h2'],
    allowHTTP1: false,
    // A resumed session shows no certificate.
    secureOptions: tls.SSL_OP_NO_TICKET,
    handshakeTimeout: limits.handshake,
    maxSessionMemory: 4,
    maxHeaderListPairs: 128,
    settings: { maxConcurrentStreams: limits.streams },
  });
  server.on('unknownProtocol', (socket) => socket.destroy());
  server.on('tlsClientError', (_, socket) => socket.destroy());
  return server;
}

/** All connections, also those in a handshake. */
function keepSockets(server: Http2SecureServer): Set<Socket> {
  const sockets = new Set<Socket>();
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.once('close', () => sockets.delete(socket));
  });
  return sockets;
}

function boundSessions(server: Http2SecureServer, idle: number): void {
  server.on('session', (session) => {
    session.on('error', () => {});
    session.setTimeout(idle, () => session.destroy());
  });
}

/**
 * A client that sends its body slowly, or not to its end, does not keep what it has sent in memory.
 */
function boundBody(stream: ServerHttp2Stream, limit: number | undefined): void {
  if (limit === undefined || stream.endAfterHeaders) return;
  const timer = setTimeout(() => stream.close(constants.NGHTTP2_CANCEL), limit);
  for (const over of ['end', 'close']) stream.once(over, () => clearTimeout(timer));
}

/** One bucket for each connection, removed with it, one for each client, and one for all. */
function permission(
  { attestations, allAttestations }: ServeLimits,
  clients: Clients | undefined,
): Attester['permits'] {
  const all = new RateLimit(allAttestations);
  const each = new WeakMap<object, RateLimit>();
  return ({ session }) => {
    if (session === undefined) return false;
    const own = each.get(session) ?? new RateLimit(attestations);
    each.set(session, own);
    const ofClient = () => clients?.takeAttestation(session.socket?.remoteAddress) ?? true;
    return own.take() && ofClient() && all.take();
  };
}

async function handle(
  app: Application,
  attester: Attester,
  stream: ServerHttp2Stream,
  headers: IncomingHttpHeaders,
): Promise<void> {
  const challenged = headers[':method'] === 'POST' && headers[':path'] === '/attest';
  await (challenged ? attest(stream, attester) : answer(app, stream, headers));
}
