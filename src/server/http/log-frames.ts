/**
 * Puts each line of a log into one frame, as Docker does. The chunks of the log may end anywhere in
 * a line.
 *
 * @module
 */
import type { LogChunk } from '../../boxes/logs/logs.ts';
import { LogFrames } from './frames.ts';

/**
 * A follower waits this long for the rest of a line. Then it gets the incomplete line: a prompt has
 * no newline.
 */
const LINGER_MS = 100;

/** @param follows whether the chunks arrive while the box writes them */
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
  // The caller awaits `next` as well, and handles its failure.
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
