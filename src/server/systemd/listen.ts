/**
 * Serves on sockets that a service manager opened. They stay the manager's, which listens on after
 * this server has ended.
 *
 * @module
 */
import type { Server as HttpServer } from 'node:http';
import { createServer, type Server } from 'node:net';

/**
 * Makes `server` accept connections to `descriptor`.
 *
 * @returns what has to be closed beside `server`, since Node's server takes one socket
 */
export async function listenOn(
  server: HttpServer,
  descriptor: number,
): Promise<Server | undefined> {
  if (!server.listening) {
    await listening(server, descriptor);
    return undefined;
  }
  const beside = createServer({ allowHalfOpen: true }, (socket) => {
    server.emit('connection', socket);
  });
  await listening(beside, descriptor);
  return beside;
}

function listening(server: Server, fd: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen({ fd }, () => {
      server.off('error', reject);
      resolve();
    });
  });
}
