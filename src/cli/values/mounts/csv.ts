/**
 * One record of comma-separated values, as Go's encoding/csv reads it.
 *
 * @module
 */

const BARE = 'bare " in non-quoted-field';
const EXTRANEOUS = 'extraneous or missing " in quoted-field';

/**
 * The fields of the first line that is not empty. A quoted field may hold commas, line breaks, and
 * quotes written twice.
 *
 * @throws RangeError in Go's words
 */
export function parseCsvRecord(text: string): readonly string[] {
  const record = text.replaceAll('\r\n', '\n').replace(/\r$/, '');
  const start = /^\n*/.exec(record)?.[0].length ?? 0;
  if (start === record.length) throw new RangeError('EOF');
  const fields: string[] = [];
  let at = start;
  for (;;) {
    const { value, end } = record[at] === '"' ? quoted(record, at) : plain(record, at);
    fields.push(value);
    if (record[end] !== ',') return fields;
    at = end + 1;
  }
}

interface Field {
  readonly value: string;
  /** Index of the comma or line break behind the field, or the length of the text. */
  readonly end: number;
}

function plain(text: string, start: number): Field {
  const value = /^[^,\n]*/.exec(text.slice(start))?.[0] ?? '';
  const quote = value.indexOf('"');
  if (quote >= 0) throw parseError(text, start + quote, BARE);
  return { value, end: start + value.length };
}

function quoted(text: string, start: number): Field {
  let value = '';
  let at = start + 1;
  for (;;) {
    const quote = text.indexOf('"', at);
    if (quote < 0) throw parseError(text, text.length, EXTRANEOUS);
    value += text.slice(at, quote);
    const next = text[quote + 1];
    if (next === undefined || next === ',' || next === '\n') return { value, end: quote + 1 };
    if (next !== '"') throw parseError(text, quote, EXTRANEOUS);
    value += '"';
    at = quote + 2;
  }
}

/** Lines count from 1, and columns in bytes from 1. */
function parseError(text: string, at: number, what: string): RangeError {
  const lines = text.slice(0, at).split('\n');
  const column = Buffer.byteLength(lines.at(-1) ?? '') + 1;
  return new RangeError(`parse error on line ${lines.length}, column ${column}: ${what}`);
}
