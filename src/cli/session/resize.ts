/**
 * Keeps the size of a box's terminal that of ours.
 *
 * @module
 */
import type { Client } from '../client/client.ts';
import type { Context } from '../context.ts';

/**
 * Tells the size now and at each change.
 *
 * @param path the route, such as `/exec/ID/resize`
 * @returns what stops it
 */
export function followSize(context: Context, client: Client, path: string): () => void {
  const { stdout } = context;
  const tell = (): void => {
    const { rows, columns } = stdout;
    if (rows === undefined || columns === undefined || rows === 0 || columns === 0) return;
    // A size that cannot be told is no reason to end a session: the process may be ending right now.
    client.json({ method: 'POST', path, query: { h: rows, w: columns } }).catch(() => undefined);
  };
  tell();
  stdout.on('resize', tell);
  return () => {
    stdout.off('resize', tell);
  };
}
