/**
 * Writes output of a box at the speed of its reader.
 *
 * @module
 */
import type { Writable } from 'node:stream';
import { demultiplex } from '../client/frames.ts';
import type { Context } from '../context.ts';

/** Runs until the stream ends. @throws A3sError for a malformed stream */
export async function copyOutput(
  context: Context,
  source: AsyncIterable<Buffer>,
  terminal: boolean,
): Promise<void> {
  if (terminal) {
    for await (const bytes of source) await write(context.stdout, bytes);
    return;
  }
  for await (const piece of demultiplex(source)) {
    await write(piece.stream === 'stdout' ? context.stdout : context.stderr, piece.bytes);
  }
}

/** Resolves once the sink takes more, and at once where it is closed, which `main` handles. */
function write(sink: Writable, bytes: Buffer | string): Promise<void> {
  if (sink.destroyed || sink.write(bytes)) return Promise.resolve();
  return new Promise((resolve) => {
    const done = (): void => {
      sink.off('drain', done).off('close', done).off('error', done);
      resolve();
    };
    sink.on('drain', done).on('close', done).on('error', done);
  });
}
