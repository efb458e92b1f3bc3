/**
 * JSON values as Go sees and prints them.
 *
 * @module
 */
import { isObject } from '../../client/json.ts';

/** Go's `%v`. */
export function printValue(value: unknown): string {
  if (value === undefined) return '<no value>';
  if (value === null) return '<nil>';
  if (Array.isArray(value)) return `[${value.map(printValue).join(' ')}]`;
  if (isObject(value)) {
    const entries = sortedEntries(value).map(([key, item]) => `${key}:${printValue(item)}`);
    return `map[${entries.join(' ')}]`;
  }
  return String(value);
}

/** What `if`, `and`, `or` and `not` go by. */
export function isTrue(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0;
  if (isObject(value)) return Object.keys(value).length > 0;
  return Boolean(value);
}

/** In the order in which Go walks a map. */
export function sortedEntries(map: Readonly<Record<string, unknown>>): [string, unknown][] {
  return Object.entries(map).sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
}
