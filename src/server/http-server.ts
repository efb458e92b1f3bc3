/**
 * The HTTP server around the router, with bounds on what clients may hold.
 *
 * @module
 */
import { createServer, type Server } from 'node:http';
import type { Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Runtime } from '../boxes/runtime.ts';
import { createRouter } from './router.ts';
import { ROUTES } from './routes.ts';
import { listenPrivately } from './socket.ts';
import { handleUpgrade } from './upgrade.ts';

const MAX_CONNECTIONS = 1024;
const MAX_HEADERS = 32 * 1024;
const HEADERS_MS = 15_000;
/** Time for answers that are under way when the server ends. */
const CLOSE_MS = 2_000;

export class HttpServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();

  constructor(rt: Runtime, stopServer: () => void) {
    const app = createRouter({ rt, routes: ROUTES, stopServer });
    const listener = getRequestListener(app.fetch, { overrideGlobalObjects: false });
    this.#server = createServer(
      {
        maxHeaderSize: MAX_HEADERS,
        headersTimeout: HEADERS_MS,
        // Bodies have their own deadlines: an image may take long, a document may not.
        requestTimeout: 0,
      },
      (incoming, outgoing) => void listener(incoming, outgoing),
    );
    this.#server.maxConnections = MAX_CONNECTIONS;
    this.#server.on('connection', (socket: Socket) => {
      this.#sockets.add(socket);
      // Whoever uses the socket hears of its errors; here they only must not end the process.
      socket.on('error', () => undefined);
      socket.once('close', () => this.#sockets.delete(socket));
    });
    this.#server.on('upgrade', (incoming, socket, head) => {
      void handleUpgrade(app, incoming, socket, head);
    });
  }

  listen(path: string): Promise<void> {
    return listenPrivately(this.#server, path);
  }

  /** Takes no more requests, and ends those that are not done soon. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, CLOSE_MS);
    this.#server.closeIdleConnections();
    await closed;
    clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
  }
}
