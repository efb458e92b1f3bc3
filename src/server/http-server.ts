/**
 * The HTTP server around the router, with limits on the resources of clients.
 *
 * @module
 */
import { createServer, type Server } from 'node:http';
import type { Server as NetServer, Socket } from 'node:net';
import type { Duplex } from 'node:stream';
import { getRequestListener } from '@hono/node-server';
import { publishRefusal } from '../boxes/services/publish.ts';
import { Connections } from './http/connections.ts';
import { BUSY, hangUp, refusalOf } from './http/refusal.ts';
import { createRouter } from './http/router.ts';
import { listenPrivately } from './http/socket.ts';
import { handleUpgrade } from './http/upgrade.ts';
import { type ApiHost, ROUTES } from './routes.ts';
import { listenOn } from './systemd/listen.ts';

export interface HttpLimits {
  /** Served at once: a thousand clients that follow something, and as many others. */
  readonly connections: number;
  /** Further connections that get a refusal; connections beyond both are closed. */
  readonly refusals: number;
  /** How long the headers of a request may take. */
  readonly headersMs: number;
}

const LIMITS: HttpLimits = { connections: 2048, refusals: 128, headersMs: 15_000 };
const MAX_HEADERS = 32 * 1024;
/** How long answers that are under way may take when the server ends. */
const CLOSE_MS = 2_000;

export class HttpServer {
  readonly #server: Server;
  readonly #beside: NetServer[] = [];
  readonly #connections: Connections;
  /** The connections with an answer under way. */
  readonly #answering = new WeakSet<Duplex>();

  constructor(rt: ApiHost, limits: HttpLimits = LIMITS) {
    const { connections, refusals, headersMs } = limits;
    const onRefusal = (error: unknown): void => publishRefusal(rt, error);
    const app = createRouter({ routes: ROUTES, rt, onRefusal });
    const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
    this.#connections = new Connections(connections, refusals);
    this.#server = createServer(
      {
        maxHeaderSize: MAX_HEADERS,
        headersTimeout: headersMs,
        connectionsCheckingInterval: Math.ceil(headersMs / 3),
        // Bodies have their own deadlines: an image may take long, a document may not.
        requestTimeout: 0,
      },
      (incoming, outgoing) => {
        const { socket } = incoming;
        if (this.#connections.isBeyond(socket)) return void hangUp(socket, BUSY);
        this.#answering.add(socket);
        outgoing.once('close', () => this.#answering.delete(socket));
        void listener(incoming, outgoing);
      },
    );
    // A client that has ended its side still gets the whole answer. Node supports the option, its
    // types do not.
    Object.assign(this.#server, { httpAllowHalfOpen: true });
    this.#server.on('connection', (socket: Socket) => this.#connections.add(socket));
    this.#server.on('clientError', (error: NodeJS.ErrnoException, socket) => {
      // In the middle of an answer no refusal can be sent.
      if (this.#answering.has(socket)) socket.destroy();
      else hangUp(socket, refusalOf(error));
    });
    this.#server.on('upgrade', (incoming, socket, head) => {
      if (this.#connections.isBeyond(incoming.socket)) return void hangUp(socket, BUSY);
      void handleUpgrade(app, incoming, socket, head);
    });
  }

  /**
   * Listens on its own socket, where there is a path, and on those that a service manager opened.
   */
  async listen(path: string | undefined, descriptors: readonly number[] = []): Promise<void> {
    if (path !== undefined) await listenPrivately(this.#server, path);
    for (const descriptor of descriptors) {
      const beside = await listenOn(this.#server, descriptor);
      if (beside !== undefined) this.#beside.push(beside);
    }
  }

  /** Takes no more requests, and aborts those that do not end soon. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const beside of this.#beside) beside.close();
    const timer = setTimeout(() => this.#connections.destroyAll(), CLOSE_MS);
    this.#server.closeIdleConnections();
    await closed;
    clearTimeout(timer);
    this.#connections.destroyAll();
  }
}
