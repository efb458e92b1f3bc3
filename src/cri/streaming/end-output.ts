/**
 * Ends a connection from the server's side.
 *
 * @module
 */
import type { Writable } from 'node:stream';

const LINGER_MS = 10_000;

/**
 * Sends what is left. A client that does not close the connection then is cut off after a while.
 */
export function endOutput(output: Writable, last: Uint8Array, lingerMs = LINGER_MS): void {
  output.end(last, () => {
    if (output.destroyed) return;
    const timer = setTimeout(() => output.destroy(), lingerMs);
    output.once('close', () => clearTimeout(timer));
  });
}
