/**
 * Follows a log as it grows: from memory where the reader keeps up, else from its files.
 *
 * @module
 */
import { type EventEmitter, once } from 'node:events';
import { A3sError } from '../../errors.ts';
import type { RecordReader } from './reader.ts';
import type { Recent } from './recent.ts';
import type { OutputRecord } from './record.ts';

/** How far a log is followed. */
export interface Following {
  /** The run to whose end the log is followed. */
  readonly run: number;
  /**
   * Called with the run that has ended. Waits until it is known which run comes next, and returns
   * that run. Undefined: none.
   */
  readonly next?: ((ended: number, signal: AbortSignal) => Promise<number | undefined>) | undefined;
}

export interface Source {
  readonly reader: RecordReader;
  readonly recent: Recent;
  /** Emits `change` when there is more, or a run has ended. */
  readonly changes: EventEmitter;
  readonly end: () => number | undefined;
  readonly endedRun: () => number;
}

/** @param last where reading ends; undefined: the log is followed */
export async function* readRecords(
  { reader, recent, changes, end, endedRun }: Source,
  last: number | undefined,
  following: Following | undefined,
  signal: AbortSignal,
): AsyncGenerator<OutputRecord> {
  let run = following?.run;
  while (!signal.aborted) {
    // This is read before looking for more, so that nothing is missed that was written before the
    // end of the run.
    const ended = run === undefined || endedRun() >= run;
    const limit = last ?? end() ?? Number.POSITIVE_INFINITY;
    const written = reader.position < limit ? recent.at(reader.position) : undefined;
    if (written !== undefined) {
      reader.jump(written.end);
      if (written.record !== undefined) yield written.record;
      continue;
    }
    const record = await reader.next(limit);
    if (record !== undefined) {
      yield record;
      continue;
    }
    if (reader.position < Math.min(limit, end() ?? 0)) throw damaged(reader.position);
    if (ended) {
      const next = run === undefined ? undefined : await following?.next?.(run, signal);
      if (next === undefined) return;
      run = next;
    } else {
      const fresh = reader.position < (end() ?? 0) || (run !== undefined && endedRun() >= run);
      if (!fresh) await change(changes, signal);
    }
  }
}

function damaged(position: number): A3sError {
  return new A3sError('state-unusable', `The log of the box is damaged at byte ${position}`);
}

async function change(changes: EventEmitter, signal: AbortSignal): Promise<void> {
  try {
    await once(changes, 'change', { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}
