/**
 * Lines of a log as Docker frames them: each in one frame, however the pieces are cut that it comes in.
 *
 * @module
 */
import type { LogChunk } from '../../boxes/logs.ts';
import { LogFrames } from './frames.ts';

/** How long whoever follows a log waits for the rest of a line: a question without a newline is to be seen. */
const LINGER_MS = 100;

/** @param follows the chunks come as they are written */
export async function* logFrames(
  chunks: AsyncIterable<LogChunk>,
  follows: boolean,
): AsyncGenerator<Uint8Array> {
  const frames = new LogFrames();
  const source = chunks[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = source.next();
      if (follows && frames.open && (await isLate(next))) yield frames.end();
      const { done, value } = await next;
      if (done === true) break;
      const whole = frames.take(value.stream, value.bytes);
      if (whole.length > 0) yield whole;
    }
    if (frames.open) yield frames.end();
  } finally {
    await source.return?.();
  }
}

async function isLate(next: Promise<unknown>): Promise<boolean> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<true>((resolve) => {
    timer = setTimeout(() => resolve(true), LINGER_MS);
  });
  // Whoever awaits it learns why it failed.
  const come = next.then(
    () => false,
    () => false,
  );
  try {
    return await Promise.race([come, late]);
  } finally {
    clearTimeout(timer);
  }
}
