/**
 * The HTTP server around the router, with bounds on what clients may hold.
 *
 * @module
 */
import { createServer, type Server } from 'node:http';
import type { Server as NetServer, Socket } from 'node:net';
import { getRequestListener } from '@hono/node-server';
import type { Runtime } from '../boxes/runtime.ts';
import { createRouter } from './router.ts';
import { ROUTES } from './routes.ts';
import { listenPrivately } from './socket.ts';
import { listenOn } from './systemd/listen.ts';
import { handleUpgrade } from './upgrade.ts';

const MAX_CONNECTIONS = 1024;
const MAX_HEADERS = 32 * 1024;
const HEADERS_MS = 15_000;
/** Time for answers that are under way when the server ends. */
const CLOSE_MS = 2_000;

export class HttpServer {
  readonly #server: Server;
  readonly #sockets = new Set<Socket>();
  readonly #beside: NetServer[] = [];

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

  /** Listens on a socket of its own, where there is a path, and on those that a service manager opened. */
  async listen(path: string | undefined, descriptors: readonly number[] = []): Promise<void> {
    if (path !== undefined) await listenPrivately(this.#server, path);
    for (const descriptor of descriptors) {
      const beside = await listenOn(this.#server, descriptor);
      if (beside !== undefined) this.#beside.push(beside);
    }
  }

  /** Takes no more requests, and ends those that are not done soon. */
  async close(): Promise<void> {
    const closed = new Promise<void>((resolve) => {
      this.#server.close(() => resolve());
    });
    for (const beside of this.#beside) beside.close();
    const timer = setTimeout(() => {
      for (const socket of this.#sockets) socket.destroy();
    }, CLOSE_MS);
    this.#server.closeIdleConnections();
    await closed;
    clearTimeout(timer);
    for (const socket of this.#sockets) socket.destroy();
  }
}
