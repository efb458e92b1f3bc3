/**
 * `--filter name=value` as the API's filters document.
 *
 * @module
 */

/** Name and value. */
export type Filter = readonly [string, string];

/** @throws RangeError for what has no `=` */
export function parseFilter(text: string): Filter {
  const equals = text.indexOf('=');
  if (equals <= 0) throw new RangeError(`invalid filter '${text}': write it as name=value`);
  return [text.slice(0, equals).trim().toLowerCase(), text.slice(equals + 1).trim()];
}

/** Undefined where there are none. */
export function encodeFilters(filters: readonly Filter[]): string | undefined {
  if (filters.length === 0) return undefined;
  const byName = new Map<string, string[]>();
  for (const [name, value] of filters) byName.set(name, [...(byName.get(name) ?? []), value]);
  return JSON.stringify(Object.fromEntries(byName));
}
