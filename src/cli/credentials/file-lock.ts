/**
 * A lock of a file that several processes may change.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { createServer, type Server } from 'node:net';
import { retry } from '../../async/retry.ts';
import { A3sError } from '../../errors.ts';

const TIMEOUT_MS = 10_000;

/**
 * Waits for the lock of `path`. It is an abstract socket: the kernel frees it with the process,
 * however that ends.
 *
 * @throws A3sError `conflict` where another process keeps it
 */
export async function lockFile(path: string, timeoutMs = TIMEOUT_MS): Promise<Disposable> {
  const name = createHash('sha256').update(path).digest('hex');
  const deadline = AbortSignal.timeout(timeoutMs);
  try {
    const holder = await retry(() => listen(`\0a3s-box/file-lock/${name}`), deadline);
    return { [Symbol.dispose]: () => holder.close() };
  } catch (error) {
    if (error !== deadline.reason) throw error;
    throw new A3sError('conflict', `Another process has been changing ${path} for too long`, {
      remedy: 'End that process, or try again.',
    });
  }
}

/** Undefined where another process has the name. */
async function listen(name: string): Promise<Server | undefined> {
  const server = createServer((socket) => socket.destroy());
  try {
    await once(server.listen(name), 'listening');
    return server;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EADDRINUSE') return undefined;
    throw error;
  }
}
