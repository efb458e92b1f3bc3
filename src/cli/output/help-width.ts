/**
 * How wide the text of `--help` is, and how its columns are laid out in that.
 *
 * @module
 */
import type { Context } from '../context.ts';
import { wrap } from './wrap.ts';

/** Longer lines are hard to read, and a file or a pipe has no width of its own. */
const WIDEST = 100;
/** Below that the longest names of flags would have to be broken. */
const NARROWEST = 60;

const GAP = 3;

export function helpWidth({ stdout }: Pick<Context, 'stdout'>): number {
  const columns = stdout.isTTY === true ? (stdout.columns ?? 0) : 0;
  if (columns === 0) return WIDEST;
  return Math.min(Math.max(columns, NARROWEST), WIDEST);
}

/** Text behind a first part, with its other lines below the text. */
export function hanging(first: string, text: string, width: number): string {
  const indent = ' '.repeat(first.length);
  return `${first}${wrap(text, width - first.length).join(`\n${indent}`)}`.trimEnd();
}

interface Columns {
  readonly terms: number;
  readonly width: number;
}

/** A column of terms and one of texts; terms never take more than two fifths. */
export function columnsFor(terms: readonly string[], width: number): Columns {
  const longest = Math.max(0, ...terms.map((term) => term.length));
  return { terms: Math.min(longest + GAP, Math.trunc((width * 2) / 5)), width };
}

/** One row; a term that is too long for its column has a line of its own. */
export function helpRow(term: string, text: string, { terms, width }: Columns): string {
  if (term.length < terms) return hanging(term.padEnd(terms), text, width);
  return `${term}\n${hanging(' '.repeat(terms), text, width)}`;
}
