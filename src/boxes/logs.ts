/**
 * A box's output as lines: the last ones, a span of time, each with its time.
 *
 * @module
 */
import { now, timestamp } from './clock.ts';
import type { BoxOutput } from './output/live-output.ts';
import type { OutputRecord } from './output/record.ts';

export interface LogOptions {
  readonly stdout: boolean;
  readonly stderr: boolean;
  /** Goes on until this run ends; undefined stops at the present end. */
  readonly followRun: number | undefined;
  /** Number of lines from the end; undefined is all. */
  readonly tail: number | undefined;
  readonly since: bigint | undefined;
  readonly until: bigint | undefined;
  readonly timestamps: boolean;
}

export interface LogChunk {
  readonly stream: 1 | 2;
  readonly bytes: Buffer;
}

/** Longest delay that a timer takes, a little under 25 days. */
const MAX_DELAY_MS = 2_147_483_647;
const NEWLINE = 0x0a;

/** A chunk's bytes are valid until the next step. */
export async function* readLogs(
  log: BoxOutput,
  options: LogOptions,
  signal: AbortSignal,
): AsyncGenerator<LogChunk> {
  const lines = new LineFilter(options, await firstLine(log, options, signal));
  for await (const record of log.read(0, options.followRun, endsAt(options.until, signal))) {
    if (options.until !== undefined && record.time > options.until) return;
    if (!wanted(record, options)) continue;
    const bytes = lines.take(record);
    if (bytes.length > 0) yield { stream: record.stream, bytes };
  }
}

/** Index of the first line of the tail. Counting first and reading then needs no memory for lines. */
async function firstLine(
  log: BoxOutput,
  options: LogOptions,
  signal: AbortSignal,
): Promise<number> {
  if (options.tail === undefined) return 0;
  const counter = new LineFilter({ ...options, timestamps: false }, 0);
  for await (const record of log.read(0, undefined, signal)) {
    if (options.until !== undefined && record.time > options.until) break;
    if (wanted(record, options)) counter.take(record);
  }
  return Math.max(0, counter.lines - options.tail);
}

/** Also aborts when `until` has come: nothing that is asked for can follow. */
function endsAt(until: bigint | undefined, signal: AbortSignal): AbortSignal {
  if (until === undefined) return signal;
  const delay = Number((until - now()) / 1_000_000n) + 1;
  if (delay <= 0 || delay > MAX_DELAY_MS) return signal;
  return AbortSignal.any([signal, AbortSignal.timeout(delay)]);
}

function wanted(record: OutputRecord, options: LogOptions): boolean {
  return record.stream === 1 ? options.stdout : options.stderr;
}

/** Numbers the lines of both streams in the order in which they begin, and drops those that are not asked for. */
class LineFilter {
  /** Lines that began so far. */
  lines = 0;
  readonly #options: Pick<LogOptions, 'since' | 'timestamps'>;
  readonly #first: number;
  readonly #streams = { 1: { open: false, show: false }, 2: { open: false, show: false } };

  constructor(options: Pick<LogOptions, 'since' | 'timestamps'>, first: number) {
    this.#options = options;
    this.#first = first;
  }

  take(record: OutputRecord): Buffer {
    const state = this.#streams[record.stream];
    const { payload } = record;
    const parts: Buffer[] = [];
    for (let start = 0; start < payload.length; ) {
      if (!state.open) this.#begin(state, record, parts);
      const newline = payload.indexOf(NEWLINE, start);
      const end = newline === -1 ? payload.length : newline + 1;
      if (state.show) parts.push(payload.subarray(start, end));
      state.open = newline === -1;
      start = end;
    }
    return parts.length === 1 ? (parts[0] ?? payload) : Buffer.concat(parts);
  }

  #begin(state: { show: boolean }, record: OutputRecord, parts: Buffer[]): void {
    const { since, timestamps } = this.#options;
    // Lines before `since` have no number: the tail counts among those that can be shown.
    const late = since === undefined || record.time >= since;
    state.show = late && this.lines >= this.#first;
    if (late) this.lines += 1;
    if (state.show && timestamps) parts.push(Buffer.from(`${timestamp(record.time)} `));
  }
}
