/**
 * A listening Unix socket for a program to inherit: who connects need not wait until the program has made it, and is
 * served as soon as it serves.
 *
 * @module
 */
import { rename } from 'node:fs/promises';
import { createServer } from 'node:net';
import { A3sError } from '../../errors.ts';

export interface Listener {
  readonly fd: number;
  /** Lets go of it in this process; its name stays for whoever holds it then. */
  close(): Promise<void>;
}

/** Only this process's user, and root, can connect. */
export async function listenFor(path: string): Promise<Listener> {
  const server = createServer();
  // Node removes the name that it bound when it closes, so the socket gets another one first.
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

/** Node keeps it in a handle that has no type. */
function descriptorOf(server: object): number {
  const handle: unknown = Reflect.get(server, '_handle');
  const fd: unknown =
    typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'fd') : undefined;
  if (typeof fd === 'number' && fd >= 0) return fd;
  throw new A3sError('internal', 'Cannot find the descriptor of a listening socket');
}
