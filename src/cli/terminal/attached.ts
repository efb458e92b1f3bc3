/**
 * An attached stream, and its exit status.
 *
 * @module
 */
import type { AttachedStream } from './attached-stream.ts';
import type { Waiting } from './wait.ts';

export interface Attached {
  readonly stream: AttachedStream;
  readonly waiting: Waiting;
}

/**
 * The two requests are independent, so both are sent at once. Where one fails, the other is
 * aborted.
 */
export async function attached(
  opening: Promise<AttachedStream>,
  registering: Promise<Waiting>,
): Promise<Attached> {
  const [stream, waiting] = await Promise.allSettled([opening, registering]);
  if (stream.status === 'rejected') {
    if (waiting.status === 'fulfilled') waiting.value.cancel();
    throw stream.reason;
  }
  if (waiting.status === 'rejected') {
    stream.value.close();
    throw waiting.reason;
  }
  return { stream: stream.value, waiting: waiting.value };
}
