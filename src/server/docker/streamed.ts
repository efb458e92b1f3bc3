/**
 * Archives that a client reads while they are made.
 *
 * @module
 */
import type { Runtime } from '../../boxes/runtime.ts';

/** The client only sees that its archive breaks off, so the reason is logged here. */
export async function* logged(
  { log }: Pick<Runtime, 'log'>,
  message: string,
  archive: AsyncIterable<Uint8Array>,
): AsyncGenerator<Uint8Array> {
  try {
    yield* archive;
  } catch (error) {
    log.error(message, error);
    throw error;
  }
}
