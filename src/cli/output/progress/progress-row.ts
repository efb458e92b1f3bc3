/**
 * One layer on its way, as one line that fits the terminal.
 *
 * @module
 */
import type { ProgressLine } from '../../../docker-api/images/progress.ts';
import { numberOf, objectOf, type Received, stringOf } from '../../client/json.ts';
import { humanSize } from '../human.ts';

const DIGITS = 4;
const FULL_BAR = 50;
const SMALLEST_BAR = 10;
/** What a line needs beside its bar: id, the longest status, both sizes. */
const BESIDE_BAR = 60;

/** What the last message said about it. */
export interface ProgressRow {
  readonly id: string;
  readonly status: string;
  readonly current: number;
  readonly total: number;
}

export function progressRow(message: Received<ProgressLine>): ProgressRow {
  const detail = objectOf(message.progressDetail);
  return {
    id: plain(stringOf(message.id)),
    status: plain(stringOf(message.status)),
    current: numberOf(detail.current),
    total: numberOf(detail.total),
  };
}

/** Whether nothing more will come of it. */
export function isFinished({ status }: ProgressRow): boolean {
  return /^(Pull complete|Already exists|Pushed|Layer already exists|Mounted from)/.test(status);
}

/** Always shorter than the terminal is wide: a line that wraps could not be drawn over. */
export function rowText(row: ProgressRow, columns: number): string {
  const text = `${row.id}: ${row.status}${progress(row, columns)}`;
  return text.slice(0, Math.max(columns - 1, 1)).trimEnd();
}

/**
 * Docker's bar and sizes. Where the terminal has less room than Docker's bar needs, the bar is
 * shorter.
 */
function progress({ current, total }: ProgressRow, columns: number): string {
  if (current <= 0 && total <= 0) return '';
  const done = humanSize(Math.max(current, 0), DIGITS).padStart(8);
  if (total <= 0) return ` ${done}`;
  const width = Math.min(FULL_BAR, columns - BESIDE_BAR);
  const filled = Math.min(width, Math.trunc((current / total) * width));
  const bar = width < SMALLEST_BAR ? '' : `[${'='.repeat(filled)}>${' '.repeat(width - filled)}] `;
  return ` ${bar}${done}${current > total ? '' : `/${humanSize(total, DIGITS)}`}`;
}

/** Characters of one cell each, so that a line's width is known. */
function plain(text: string): string {
  return text.replaceAll(/[^\x20-\x7e]/g, '?');
}
