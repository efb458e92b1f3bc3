/**
 * `--format` of the commands that list: a table, a table of one's own columns, JSON, or a template
 * per row.
 *
 * @module
 */
import { printable } from '../client/failure.ts';
import { Template } from './go-template/template.ts';
import { forTerminals } from './json-text.ts';
import { alignColumns } from './table.ts';

/** One row: fields for templates, and methods such as `.Label "name"`. */
export type Row = Readonly<Record<string, unknown>>;

export interface Listing {
  /** The template of the plain table, without its prefix. */
  readonly defaults: string;
  /** What heads a column, by field. */
  readonly headers: Readonly<Record<string, string>>;
  /** Fields whose column the plain table has only where a row says something else than this. */
  readonly sparse?: Readonly<Record<string, string>>;
}

/** Prepared before the server is asked, so that a mistake in the format costs nothing. */
export type Format = (rows: readonly Row[]) => string;

/** @throws UsageError for a template that cannot be parsed */
export function prepareFormat(format: string | undefined, listing: Listing): Format {
  const chosen = format === undefined || format === '' ? 'table' : format;
  if (chosen === 'json') return (rows) => rows.map((row) => `${json(row)}\n`).join('');
  if (format === undefined || format === '') return plainTable(listing);
  if (chosen === 'table') return table(listing.defaults, listing);
  if (chosen.startsWith('table ')) return table(escapes(chosen.slice(6)), listing);
  const template = new Template(escapes(chosen));
  return (rows) => rows.map((row) => `${template.evaluate(asData(row, printable))}\n`).join('');
}

/** The table with the default columns. */
function plainTable(listing: Listing): Format {
  const { defaults, sparse = {} } = listing;
  return (rows) => {
    const empty = Object.entries(sparse)
      .filter(([field, nothing]) => rows.every((row) => row[field] === nothing))
      .map(([field]) => `{{.${field}}}`);
    const columns = defaults.split('\t').filter((column) => !empty.includes(column));
    return table(columns.join('\t'), listing)(rows);
  };
}

function table(columns: string, listing: Listing): Format {
  const template = new Template(columns.trim());
  const headers: Record<string, unknown> = { ...listing.headers };
  headers['Label'] = (name: string): string => name.toUpperCase();
  const header = template.evaluate(headers);
  return (rows) =>
    alignColumns([header, ...rows.map((row) => template.evaluate(asData(row, onOneLine)))]);
}

/** Shells pass `\t` as two characters. */
function escapes(text: string): string {
  return text.replaceAll('\\t', '\t').replaceAll('\\n', '\n');
}

function json(row: Row): string {
  return forTerminals(JSON.stringify(asData(row)));
}

/** Nothing in a cell makes a row of its own. */
function onOneLine(text: string): string {
  return printable(text).replaceAll('\n', ' ');
}

/** `{{json .}}` gives what `json` gives: methods are no part of it. */
function asData(row: Row, shown: (text: string) => string = String): Row {
  const entries = Object.entries(row).sort(byName);
  return Object.fromEntries(entries.map(([name, value]) => [name, asShown(value, shown)]));
}

/**
 * Images and boxes bring texts of their own, also by way of methods; none of it is a terminal's to
 * obey.
 */
function asShown(value: unknown, shown: (text: string) => string): unknown {
  if (typeof value === 'string') return shown(value);
  if (typeof value !== 'function') return value;
  return (...args: readonly string[]) => asShown(value(...args), shown);
}

function byName([a]: readonly [string, unknown], [b]: readonly [string, unknown]): number {
  return a < b ? -1 : 1;
}
