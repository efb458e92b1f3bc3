/**
 * The server's socket, which only its owner can open at any time.
 *
 * @module
 */
import { chmod, mkdtemp, rename, rm } from 'node:fs/promises';
import type { Server } from 'node:net';
import { dirname, join } from 'node:path';
import { A3sError } from '../../errors.ts';

/** The limit of Linux for the path of a unix socket. */
export const MAX_SOCKET_PATH = 107;

/** The backlog: the kernel refuses clients that connect at once beyond it. */
const BACKLOG = 2048;

/**
 * Listens on `path`, and replaces the socket of a dead server. The caller holds the home's lock, so
 * no living server has it.
 *
 * The socket is made in a private directory and moved when its mode is right: other users can
 * connect at no moment.
 *
 * @param publish moves it; what is at the path is replaced otherwise
 */
export async function listenPrivately(
  server: Server,
  path: string,
  publish: (made: string) => Promise<void> = (made) => rename(made, path),
): Promise<void> {
  if (Buffer.byteLength(path) > MAX_SOCKET_PATH) {
    throw new A3sError(
      'state-unusable',
      `Cannot listen on ${path}: a socket's path has at most ${MAX_SOCKET_PATH} bytes`,
      { remedy: 'Choose a shorter XDG_RUNTIME_DIR.' },
    );
  }
  // In the directory of the path, since nothing is moved to another file system.
  const directory = await mkdtemp(`${dirname(path)}/.`);
  try {
    const made = join(directory, 's');
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject);
      server.listen({ path: made, backlog: BACKLOG }, () => {
        server.off('error', reject);
        resolve();
      });
    });
    await chmod(made, 0o600);
    await publish(made);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
