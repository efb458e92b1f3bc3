/**
 * The streaming server: kubelet passes clients of exec, attach and port-forward on to the URLs that
 * the methods of CRI answer with.
 *
 * @module
 */
import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { createServer as createTlsServer, Server as TlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { criFailure } from '../failure.ts';
import { Refused, serveUpgrade } from './serve-upgrade.ts';
import { LOOPBACK, refused, type StreamAddress } from './stream-address.ts';
import { StreamCertificate } from './stream-certificate.ts';
import type { StreamTarget } from './stream-target.ts';
import { Tokens } from './tokens.ts';

const CONNECTIONS = 256;
const HEADERS_MS = 15_000;
const HEADERS_BYTES = 32 * 1024;
const KEEP_ALIVE_MS = 30_000;
const PATH = /^\/(exec|attach|portforward)\/([A-Za-z0-9_-]{43})$/;

export interface StreamingLog {
  error(message: string, error: unknown, details?: Record<string, unknown>): void;
}

/** What the methods of CRI need of the server. */
export type StreamUrls = Pick<StreamingServer, 'url'>;

export class StreamingServer {
  readonly #server: Server;
  readonly #log: StreamingLog;
  readonly #tokens: Tokens<StreamTarget>;
  readonly #sockets = new Set<Duplex>();
  /** Those that have not left HTTP, by their clients' addresses, the oldest one first. */
  readonly #waiting = new Map<string, Socket>();
  readonly #certificate: StreamCertificate | undefined;
  readonly #host: string;

  private constructor(log: StreamingLog, tokens: Tokens<StreamTarget>, address: StreamAddress) {
    this.#log = log;
    this.#tokens = tokens;
    this.#host = address.host.includes(':') ? `[${address.host}]` : address.host;
    this.#certificate = address.tls && new StreamCertificate(address.tls);
    const limits = { maxHeaderSize: HEADERS_BYTES, headersTimeout: HEADERS_MS };
    const server =
      this.#certificate === undefined
        ? createServer(limits)
        : createTlsServer({
            ...limits,
            ...this.#certificate.texts,
            ...{ minVersion: 'TLSv1.2', handshakeTimeout: HEADERS_MS },
          });
    server.on('connection', (socket: Socket) => {
      socket.on('error', () => undefined);
      // The end of a client whose host is gone is noticed in minutes.
      socket.setKeepAlive(true, KEEP_ALIVE_MS);
      const client = clientOf(socket);
      socket.once('close', () => this.#forget(client, socket));
      this.#sockets.add(socket);
      this.#waiting.set(client, socket);
      if (this.#sockets.size > CONNECTIONS) this.#dropOldest();
    });
    // What is written to a client of TLS that is gone.
    server.on('secureConnection', (socket: Duplex) => socket.on('error', () => undefined));
    server.on('request', (request, response) => this.#answer(request, response));
    server.on('upgrade', (request, socket, head) => void this.#upgrade(request, socket, head));
    this.#server = server;
  }

  /** @throws A3sError `invalid-argument` for an address or a certificate that cannot be used */
  static async listen(
    log: StreamingLog,
    address: StreamAddress = LOOPBACK,
    tokens = new Tokens<StreamTarget>(),
  ): Promise<StreamingServer> {
    const made = new StreamingServer(log, tokens, address);
    made.#server.listen(address.port, address.host);
    try {
      await once(made.#server, 'listening');
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      throw refused(reason, 'Name an address of the node, and a port that is free.');
    }
    return made;
  }

  /**
   * The URL by which one client reaches the target, within a minute.
   *
   * @throws A3sError `streams-busy`
   */
  url(target: StreamTarget): string {
    this.#renewCertificate();
    const { port } = this.#server.address() as AddressInfo;
    const scheme = this.#certificate === undefined ? 'http' : 'https';
    return `${scheme}://${this.#host}:${port}/${target.kind}/${this.#tokens.issue(target)}`;
  }

  /** Connections from now on get the certificate that its files have now. */
  #renewCertificate(): void {
    try {
      const texts = this.#certificate?.renewed();
      if (texts !== undefined && this.#server instanceof TlsServer) {
        this.#server.setSecureContext(texts);
      }
    } catch (error) {
      this.#log.error('the certificate of the streams of CRI could not be renewed', error);
    }
  }

  /** Closes all connections. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const socket of this.#sockets) socket.destroy();
    await closed;
  }

  #forget(client: string, socket: Duplex): void {
    this.#sockets.delete(socket);
    if (this.#waiting.get(client) === socket) this.#waiting.delete(client);
  }

  /** Connections that ask for nothing keep no client out. All may have upgraded but the newest. */
  #dropOldest(): void {
    for (const [client, socket] of this.#waiting) {
      this.#forget(client, socket);
      socket.destroy();
      return;
    }
  }

  /** @throws Refused where the request names nothing that it may have */
  #target({ url = '', method = '' }: IncomingMessage): StreamTarget {
    const [, kind, token = ''] = PATH.exec(url.split('?')[0] ?? '') ?? [];
    if (kind === undefined) throw new Refused(404, 'There is nothing at this path.');
    if (method !== 'GET' && method !== 'POST') {
      throw new Refused(405, 'Streams are opened with GET or POST.');
    }
    // Whatever comes of this request, there is no second one.
    const target = this.#tokens.use(token);
    if (target?.kind === kind) return target;
    throw new Refused(404, 'The token was used, has expired, or is not one of this server.');
  }

  #answer(request: IncomingMessage, response: ServerResponse): void {
    try {
      this.#target(request);
      throw new Refused(400, 'The request has to upgrade to SPDY/3.1 or to a WebSocket.');
    } catch (error) {
      const { status, message, headers } = Refused.of(error);
      response.writeHead(status, { ...headers, connection: 'close' }).end(`${message}\n`);
    }
  }

  async #upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    const client = clientOf(request.socket);
    const onError = (error: unknown): void => {
      // Others, such as a port that is refused, are for the client alone.
      if (!criFailure(error).unexpected) return;
      this.#log.error('a stream of CRI failed', error, { path: request.url?.split('/')[1] });
    };
    try {
      if (head.length > 0) socket.unshift(head);
      const target = this.#target(request);
      this.#waiting.delete(client);
      await serveUpgrade(target, request, socket, onError);
    } catch (error) {
      if (!(error instanceof Refused)) onError(error);
      Refused.of(error).answer(socket);
    }
  }
}

/** The same of a connection and of what TLS makes of it. */
function clientOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
