/**
 * Numbers the lines of both streams in the order in which they begin, and drops those that were not
 * asked for.
 *
 * @module
 */

import type { OutputRecord } from '../output/record.ts';
import { timestamp } from '../record/clock.ts';

const NEWLINE = 0x0a;

export interface LineOptions {
  readonly since: bigint | undefined;
  readonly timestamps: boolean;
  readonly details: string | undefined;
}

interface StreamState {
  /** Whether the last line goes on. */
  open: boolean;
  /** Whether the last line was asked for. */
  show: boolean;
}

export class LineFilter {
  /** The number of lines that have started so far. */
  #lines: number;
  readonly #options: LineOptions;
  readonly #first: number;
  readonly #streams: Readonly<Record<1 | 2, StreamState>>;

  /**
   * @param first number of the first line to show
   * @param lines how many lines began before the first record that is taken
   * @param open whether each stream's last line goes on in that record; the rest of such a line is
   * not shown
   */
  constructor(
    options: LineOptions,
    first: number,
    lines: number,
    open: readonly [boolean, boolean],
  ) {
    this.#options = options;
    this.#first = first;
    this.#lines = lines;
    this.#streams = { 1: { open: open[0], show: false }, 2: { open: open[1], show: false } };
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

  #begin(state: StreamState, record: OutputRecord, parts: Buffer[]): void {
    const { since, timestamps, details } = this.#options;
    state.show = (since === undefined || record.time >= since) && this.#lines >= this.#first;
    this.#lines += 1;
    if (!state.show) return;
    if (timestamps) parts.push(Buffer.from(`${timestamp(record.time)} `));
    if (details !== undefined) parts.push(Buffer.from(`${details} `));
  }
}
