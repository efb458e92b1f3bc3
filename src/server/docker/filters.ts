/**
 * The `filters` parameter: JSON in one of two forms, with keys that the route must know.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import { parseRequest } from '../http/parse.ts';

const MAX_TEXT = 64 * 1024;

const Values = z.union([
  z.array(z.string().max(1024)).max(256),
  z
    .record(z.string().max(1024), z.boolean())
    .transform((map) => Object.keys(map).filter((key) => map[key] === true)),
]);

/** From the name of a filter to its values, one of which must match. */
export type Filters<Key extends string> = Readonly<Partial<Record<Key, readonly string[]>>>;

/** @throws A3sError `invalid-argument` for malformed JSON and unknown filters, by name */
export function filters<Key extends string>(known: readonly Key[]) {
  return z
    .string()
    .max(MAX_TEXT)
    .optional()
    .transform((text): Filters<Key> => parse(text, known));
}

function parse<Key extends string>(text: string | undefined, known: readonly Key[]): Filters<Key> {
  const result: Partial<Record<Key, readonly string[]>> = {};
  if (text === undefined || text === '') return result;
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new A3sError('invalid-argument', 'invalid filters: not JSON', { cause });
  }
  const asked = parseRequest(z.record(z.string(), Values), document ?? {});
  for (const [key, value] of Object.entries(asked)) {
    const name = known.find((candidate) => candidate === key);
    if (name === undefined) {
      throw new A3sError('invalid-argument', `invalid filter '${key.slice(0, 64)}'`, {
        remedy: `Filters here are ${known.join(', ')}.`,
      });
    }
    if (value.length > 0) result[name] = value;
  }
  return result;
}

/**
 * A filter that is true or false.
 *
 * @throws A3sError `invalid-argument` for any other value, and for several
 */
export function filterFlag(filter: string, values: readonly string[]): boolean {
  const [value = '', ...others] = values;
  if (others.length === 0 && ['true', '1'].includes(value)) return true;
  if (others.length === 0 && ['false', '0'].includes(value)) return false;
  throw new A3sError(
    'invalid-argument',
    `invalid filter '${filter}=${values.join(',').slice(0, 64)}'`,
    { remedy: 'It is true or false.' },
  );
}

/** Whether labels match all that a prune asks for, and not all that it excludes. */
export function matchesLabels(
  labels: Readonly<Record<string, string>>,
  { label = [], 'label!': notLabel }: Filters<'label' | 'label!'>,
): boolean {
  return (
    label.every((each) => matchesLabel(labels, each)) &&
    !(notLabel?.every((each) => matchesLabel(labels, each)) ?? false)
  );
}

/** Matches `key` or `key=value` against a set of labels. */
export function matchesLabel(labels: Readonly<Record<string, string>>, filter: string): boolean {
  const end = filter.indexOf('=');
  if (end === -1) return Object.hasOwn(labels, filter);
  return labels[filter.slice(0, end)] === filter.slice(end + 1);
}

/**
 * Whether a name has a part; `^` and `$` bind it to the beginning and the end. Docker takes a
 * regular expression here. Its other special characters are ordinary ones.
 */
export function matchesName(name: string, filter: string): boolean {
  const [, start, part = '', end] = /^(\^?)(.*?)(\$?)$/s.exec(filter) ?? [];
  if (start && end) return name === part;
  if (start) return name.startsWith(part);
  if (end) return name.endsWith(part);
  return name.includes(part);
}

/**
 * Matches `*` with any text without a slash, and `?` with one such character. The time is bounded
 * by the product of both lengths.
 */
export function matchesGlob(text: string, pattern: string): boolean {
  let at = 0;
  let star: { pattern: number; text: number } | undefined;
  let position = 0;
  while (position < text.length) {
    const wanted = pattern[at];
    if (wanted === '*') {
      star = { pattern: at, text: position };
      at += 1;
    } else if (wanted === text[position] || (wanted === '?' && text[position] !== '/')) {
      at += 1;
      position += 1;
    } else if (star !== undefined && text[star.text] !== '/') {
      star.text += 1;
      position = star.text;
      at = star.pattern + 1;
    } else {
      return false;
    }
  }
  return /^\**$/.test(pattern.slice(at));
}
