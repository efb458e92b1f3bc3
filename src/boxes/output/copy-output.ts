/**
 * Copies the output of a box from its guest to the log.
 *
 * @module
 */
import type { OutputChunk } from '../../guest/frame.ts';
import type { OutputReader } from '../../guest/output.ts';
import { now } from '../record/clock.ts';
import type { BoxOutput } from './memory-output.ts';

/**
 * Output that may wait for the disk: twice the agent's ring, so that an agent that ignores its
 * bound is held back too.
 */
const UNSAFE_BYTES = 2 * 1024 * 1024;

/** How much of the output is in the log, or on its way there. */
export interface Progress {
  offset: number;
}

/**
 * Appends the output to the log, up to its end, and acknowledges to the guest what is on the disk.
 *
 * @throws A3sError what the connection or the disk fails with
 */
export async function copyOutput(
  log: BoxOutput,
  run: number,
  reader: AsyncIterable<OutputChunk> & Pick<OutputReader, 'ack'>,
  progress: Progress,
): Promise<void> {
  let acknowledging: Promise<void> | undefined;
  let acknowledged = progress.offset;
  let failure: unknown;
  const acknowledge = async (): Promise<void> => {
    while (acknowledged < progress.offset) {
      const safe = progress.offset;
      await log.flush();
      acknowledged = safe;
      reader.ack(safe);
    }
  };
  for await (const { stream, offset, data } of reader) {
    if (failure !== undefined) throw failure;
    const kind = stream === 'stdout' ? 1 : 2;
    log.append({ stream: kind, run, time: now(), offset, payload: data });
    progress.offset = offset + data.length;
    acknowledging ??= acknowledge()
      .catch((error: unknown) => {
        failure = error;
      })
      .finally(() => {
        acknowledging = undefined;
      });
    if (progress.offset - acknowledged > UNSAFE_BYTES) await acknowledging;
  }
  await acknowledging;
  if (failure !== undefined) throw failure;
  await log.flush();
}
