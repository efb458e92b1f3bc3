/**
 * The server's socket, which only its owner can ever open.
 *
 * @module
 */
import { chmod, mkdtemp, rename, rm } from 'node:fs/promises';
import type { Server } from 'node:net';
import { dirname, join } from 'node:path';
import { A3sError } from '../../errors.ts';

/** What Linux takes for the path of a unix socket. */
const MAX_PATH = 107;

/** Clients that come at once, each of which the kernel refuses beyond it. */
const BACKLOG = 2048;

/**
 * Listens on `path`, in place of a socket that a dead server left. The caller holds the home's lock, so no living server
 * has it.
 *
 * The socket is made in a private directory and moved when its mode is right: there is no moment at which others
 * could connect.
 */
export async function listenPrivately(server: Server, path: string): Promise<void> {
  if (Buffer.byteLength(path) > MAX_PATH) {
    throw new A3sError(
      'state-unusable',
      `Cannot listen on ${path}: a socket's path has at most ${MAX_PATH} bytes`,
      { remedy: 'Choose a shorter XDG_RUNTIME_DIR.' },
    );
  }
  const directory = await mkdtemp(join(dirname(path), '.'));
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
    await rename(made, path);
  } finally {
    await rm(directory, { recursive: true, force: true });
  }
}
