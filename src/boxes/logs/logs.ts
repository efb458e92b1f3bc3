/**
 * A box's output as lines: the last ones, or those of a span of time, each with its time.
 *
 * Only what is shown is read, and what is in the same file of the log.
 *
 * @module
 */

import type { Following } from '../output/follow.ts';
import type { BoxOutput } from '../output/memory-output.ts';
import type { OutputRecord } from '../output/record.ts';
import { NOTHING, type Tally, tallied } from '../output/tally.ts';
import { now } from '../record/clock.ts';
import { LineFilter } from './log-lines.ts';

export interface LogOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** How far reading follows the log; undefined: to its present end. */
  readonly following: Following | undefined;
  /** The number of lines from the end; undefined: all. */
  readonly tail: number | undefined;
  readonly since: bigint | undefined;
  readonly until: bigint | undefined;
  readonly timestamps: boolean;
  /** What is written before each line, after its time. */
  readonly details: string | undefined;
}

export interface LogChunk {
  readonly stream: 1 | 2;
  readonly bytes: Buffer;
}

/** Longest delay that a timer takes, a little under 25 days. */
const MAX_DELAY_MS = 2_147_483_647;

/** A chunk's bytes are valid until the next step. */
export async function* readLogs(
  log: BoxOutput,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<LogChunk> {
  const { tail, since, until } = options;
  const first = tail === undefined ? 0 : (await countLines(log, options, signal)) - tail;
  const wholeLog = tail === undefined && since === undefined;
  const begin = wholeLog
    ? { position: 0, before: NOTHING }
    : await findBegin(log, (before) => {
        if (since !== undefined && before.latest < since) return true;
        return tail !== undefined && linesOf(before, options) <= first;
      });
  const lines = new LineFilter(options, first, linesOf(begin.before, options), begin.before.open);
  for await (const record of log.read(begin.position, options.following, endsAt(until, signal))) {
    if (until !== undefined && record.time > until) return;
    if (!wanted(record, options)) continue;
    const bytes = lines.take(record);
    if (bytes.length > 0) yield { stream: record.stream, bytes };
  }
}

interface Begin {
  readonly position: number;
  readonly before: Tally;
}

/** The latest place that `enough` accepts, or else the beginning of the log. */
async function findBegin(log: BoxOutput, enough: (before: Tally) => boolean): Promise<Begin> {
  let oldest: Begin = { position: 0, before: NOTHING };
  for await (const { position, before } of log.waypoints()) {
    if (before === undefined) continue;
    if (enough(before)) return { position, before };
    oldest = { position, before };
  }
  // A line whose beginning was dropped counts as one: its rest is shown.
  const { lines, open } = oldest.before;
  const whole: Tally['lines'] = [lines[0] - (open[0] ? 1 : 0), lines[1] - (open[1] ? 1 : 0)];
  return {
    position: oldest.position,
    before: { ...oldest.before, lines: whole, open: [false, false] },
  };
}

/**
 * Counts the lines of the wanted streams that began since the log did, up to `until` or the present
 * end.
 */
async function countLines(
  log: BoxOutput,
  options: LogOptions,
  signal: AbortSignal,
): Promise<number> {
  const { until } = options;
  const begin = await findBegin(log, ({ latest }) => until === undefined || latest <= until);
  let tally = begin.before;
  for await (const record of log.read(begin.position, undefined, signal)) {
    if (until !== undefined && record.time > until) break;
    tally = tallied(tally, record);
  }
  return linesOf(tally, options);
}

function linesOf({ lines }: Tally, { stdout, stderr }: LogOptions): number {
  return (stdout ? lines[0] : 0) + (stderr ? lines[1] : 0);
}

/** Aborts also at the time `until`: nothing that was asked for can come later. */
function endsAt(until: bigint | undefined, signal: AbortSignal): AbortSignal {
  if (until === undefined) return signal;
  const delay = Number((until - now()) / 1_000_000n) + 1;
  if (delay <= 0 || delay > MAX_DELAY_MS) return signal;
  return AbortSignal.any([signal, AbortSignal.timeout(delay)]);
}

function wanted(record: OutputRecord, options: LogOptions): boolean {
  return record.stream === 1 ? options.stdout : options.stderr;
}
