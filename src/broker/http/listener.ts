/**
 * A server on one address, over HTTP or HTTPS, with limits on what one client can hold.
 *
 * @module
 */
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { clientOf } from '@a3s-box/ratls';
import { A3sError } from '../../errors.ts';

export interface ListenAddress {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
}

export interface ListenerOptions {
  readonly address: ListenAddress;
  readonly tls?: TlsOptions | undefined;
  readonly handle: RequestListener;
  readonly limits?: ConnectionLimits;
}

export interface ConnectionLimits {
  readonly connections: number;
  readonly connectionsOfClient: number;
  /** How long a connection may take to its first request, the TLS handshake included. */
  readonly firstRequestMs: number;
}

/** Of each listener: guests take no connection from administrators. */
export const GUEST_CONNECTIONS: ConnectionLimits = {
  connections: 1024,
  connectionsOfClient: 32,
  firstRequestMs: 15_000,
};
export const ADMIN_CONNECTIONS: ConnectionLimits = {
  connections: 256,
  connectionsOfClient: 16,
  firstRequestMs: 10_000,
};

const HANDSHAKE_MS = 10_000;
/** How long a client may take to send a request. */
export const REQUEST_MS = 20_000;
const LIMITS: ServerOptions = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: REQUEST_MS,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 2_000,
};
/** A client that neither sends nor reads for so long holds its connection no more. */
export const IDLE_MS = 30_000;
/** How long answers that are under way may take when the broker ends. */
const CLOSE_MS = 2_000;

export class Listener {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @throws A3sError `broker-config` for an address that cannot be listened on */
  static async open({
    address,
    tls,
    handle,
    limits = GUEST_CONNECTIONS,
  }: ListenerOptions): Promise<Listener> {
    const secure = { minVersion: 'TLSv1.3', handshakeTimeout: HANDSHAKE_MS } as const;
    const server =
      tls === undefined
        ? createServer(LIMITS, handle)
        : createTlsServer({ ...LIMITS, ...tls, ...secure }, handle);
    server.timeout = IDLE_MS;
    limitConnections(server, limits);
    // A handshake that fails is the client's affair.
    server.on('tlsClientError', () => undefined);
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) => {
        const at = `${address.host}:${address.port}`;
        reject(
          new A3sError('broker-config', `Cannot listen on ${at}: ${cause.message}`, { cause }),
        );
      });
      server.listen(address.port, address.host, resolve);
    });
    return new Listener(server);
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Takes no more requests, and aborts those that do not end soon. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    this.#server.closeIdleConnections();
    const timer = setTimeout(() => this.#server.closeAllConnections(), CLOSE_MS);
    await closed;
    clearTimeout(timer);
  }
}

/**
 * Bounds how many connections there are. Where all are taken, the oldest without a request gives
 * its place to the new one: connections that say nothing lock nobody out.
 */
function limitConnections(
  server: Server,
  { connections, connectionsOfClient, firstRequestMs }: ConnectionLimits,
): void {
  const open = new Map<string, number>();
  let all = 0;
  /** Those without a request, oldest first. Timeouts of Node restart with each byte. */
  const silent = new Map<string, { readonly socket: Socket; readonly timer: NodeJS.Timeout }>();
  const active = (peer: string): void => {
    clearTimeout(silent.get(peer)?.timer);
    silent.delete(peer);
  };
  server.on('connection', (socket: Socket) => {
    const client = clientOf(socket.remoteAddress);
    const count = (open.get(client) ?? 0) + 1;
    if (count > connectionsOfClient || (all >= connections && silent.size === 0)) {
      socket.destroy();
      return;
    }
    if (all >= connections) {
      const [oldest] = silent.values();
      oldest?.socket.destroy();
    }
    open.set(client, count);
    all += 1;
    const peer = peerOf(socket);
    silent.set(peer, { socket, timer: setTimeout(() => socket.destroy(), firstRequestMs) });
    socket.once('close', () => {
      active(peer);
      all -= 1;
      const left = (open.get(client) ?? 1) - 1;
      if (left === 0) open.delete(client);
      else open.set(client, left);
    });
  });
  server.on('request', ({ socket }) => active(peerOf(socket)));
}

/** The same for a socket and for the TLS socket on it. */
function peerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}
