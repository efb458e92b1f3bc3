/**
 * A listening Unix socket for a program to inherit. A client can connect before the program runs,
 * and is served as soon as the program serves.
 *
 * @module
 */
import { rename } from 'node:fs/promises';
import { createServer } from 'node:net';
import { A3sError } from '../../errors.ts';

export interface Listener {
  readonly fd: number;
  /** Closes the socket in this process. Its name stays for the process that inherited it. */
  close(): Promise<void>;
}

/** Only this process's user, and root, can connect. */
export async function listenFor(path: string): Promise<Listener> {
  const server = createServer();
  // Node removes the bound name when it closes the socket, so the socket gets another name first.
  const bound = `${path}.new`;
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen({ path: bound, backlog: 1 }, resolve);
  });
  const close = (): Promise<void> => new Promise((resolve) => server.close(() => resolve()));
  try {
    await rename(bound, path);
    return { fd: descriptorOf(server), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Node keeps the descriptor in a handle that has no type. */
function descriptorOf(server: object): number {
  const handle: unknown = Reflect.get(server, '_handle');
  const fd: unknown =
    typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  if (typeof fd === 'number' && fd >= 0) return fd;
  throw new A3sError('internal', 'Cannot find the descriptor of a listening socket');
}
