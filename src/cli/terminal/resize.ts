/**
 * Sets the size of a box's terminal to this terminal's size.
 *
 * @module
 */
import type { Client } from '../client/client.ts';
import type { Context } from '../context.ts';

/**
 * Sends the size now and at each change.
 *
 * @param path the route, such as `/exec/ID/resize`
 * @returns the function that stops it
 */
export function followSize(context: Context, client: Client, path: string): () => void {
  const { stdout } = context;
  const tell = (): void => {
    const { rows, columns } = stdout;
    if (rows === undefined || columns === undefined || rows === 0 || columns === 0) return;
    // A failure to send the size does not end the stream: the process may be ending right now.
    client.json({ method: 'POST', path, query: { h: rows, w: columns } }).catch(() => undefined);
  };
  tell();
  stdout.on('resize', tell);
  return () => {
    stdout.off('resize', tell);
  };
}
