/**
 * A server on one address, over HTTP or HTTPS, with limits on what one client can hold.
 *
 * @module
 */
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';
import { A3sError } from '../../errors.ts';
import { clientOf } from './rate-limit.ts';

export interface ListenAddress {
  readonly host: string;
  /** 0 for any that is free. */
  readonly port: number;
}

export interface ListenerOptions {
  readonly address: ListenAddress;
  readonly tls?: TlsOptions | undefined;
  readonly handle: RequestListener;
}

const MAX_CONNECTIONS = 1024;
const MAX_CONNECTIONS_OF_CLIENT = 64;
const LIMITS: ServerOptions = {
  maxHeaderSize: 16 * 1024,
  headersTimeout: 10_000,
  requestTimeout: 20_000,
  keepAliveTimeout: 5_000,
  connectionsCheckingInterval: 2_000,
};
/** How long answers that are under way may take when the broker ends. */
const CLOSE_MS = 2_000;

export class Listener {
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  /** @throws A3sError `broker-config` for an address that cannot be listened on */
  static async open({ address, tls, handle }: ListenerOptions): Promise<Listener> {
    const server =
      tls === undefined
        ? createServer(LIMITS, handle)
        : createTlsServer({ ...LIMITS, ...tls, minVersion: 'TLSv1.3' }, handle);
    server.maxConnections = MAX_CONNECTIONS;
    limitConnections(server);
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

function limitConnections(server: Server): void {
  const open = new Map<string, number>();
  server.on('connection', (socket: Socket) => {
    const client = clientOf(socket.remoteAddress);
    const count = (open.get(client) ?? 0) + 1;
    if (count > MAX_CONNECTIONS_OF_CLIENT) {
      socket.destroy();
      return;
    }
    open.set(client, count);
    socket.once('close', () => {
      const left = (open.get(client) ?? 1) - 1;
      if (left === 0) open.delete(client);
      else open.set(client, left);
    });
  });
}
