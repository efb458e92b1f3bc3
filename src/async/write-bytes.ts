/**
 * Writes at the pace of the reader.
 *
 * @module
 */
import type { Writable } from 'node:stream';

/** Waits until the stream has room for more, or until its reader is gone. */
export function writeBytes(output: Writable, bytes: Uint8Array, gone: AbortSignal): Promise<void> {
  if (output.write(bytes) || gone.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      output.off('drain', done);
      gone.removeEventListener('abort', done);
      resolve();
    };
    output.on('drain', done);
    gone.addEventListener('abort', done);
  });
}
