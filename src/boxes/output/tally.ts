/**
 * The tally of a log up to some place: enough to go on from there without reading what is before
 * it.
 *
 * @module
 */
import type { OutputRecord } from './record.ts';

export interface Tally {
  /** The run that wrote last, and the offset behind its last byte. */
  readonly run: number;
  readonly offset: number;
  /** The latest time of all records, whichever way the clock went. */
  readonly latest: bigint;
  /** The number of lines that began, by stream. */
  readonly lines: readonly [number, number];
  /** Whether the last line has not ended, by stream. */
  readonly open: readonly [boolean, boolean];
}

export const NOTHING: Tally = {
  ...{ run: 0, offset: 0, latest: 0n },
  ...{ lines: [0, 0], open: [false, false] },
};

const NEWLINE = 0x0a;

export function tallied(tally: Tally, record: OutputRecord): Tally {
  const late = record.time > tally.latest;
  const index = record.stream - 1;
  const [out, err] = tally.lines;
  const started = linesStarted(record.payload, tally.open[index] === true);
  const open = record.payload.at(-1) !== NEWLINE;
  return {
    run: record.run,
    offset: record.offset + record.payload.length,
    latest: late ? record.time : tally.latest,
    lines: index === 0 ? [out + started, err] : [out, err + started],
    open: index === 0 ? [open, tally.open[1]] : [tally.open[0], open],
  };
}

/** @param open the first byte continues a line */
function linesStarted(payload: Buffer, open: boolean): number {
  let started = open ? 0 : 1;
  let at = payload.indexOf(NEWLINE);
  while (at !== -1 && at + 1 < payload.length) {
    started += 1;
    at = payload.indexOf(NEWLINE, at + 1);
  }
  return started;
}
