/**
 * How long a box waits for its secrets, and other times, as written in a flag or an annotation.
 *
 * @module
 */

const SECONDS: Readonly<Record<string, number>> = { s: 1, m: 60, h: 3600 };
const LONGEST_DEADLINE = 24 * 3600;

/**
 * Whole seconds of `10m`, `2h`, or of plain seconds: at least one, at most a day.
 *
 * @throws RangeError for anything else
 */
export function parseDeadline(text: string): number {
  const seconds = parseSeconds(text);
  if (seconds !== undefined && seconds >= 1 && seconds <= LONGEST_DEADLINE) return seconds;
  throw new RangeError('it takes a time of at most a day, such as 10m');
}

/** Whole seconds of `10m`, `2h`, or of plain seconds; undefined for anything else. */
export function parseSeconds(text: string): number | undefined {
  const [, number, unit = 's'] = /^(\d{1,6})(s|m|h)?$/.exec(text) ?? [];
  return number === undefined ? undefined : Number(number) * (SECONDS[unit] ?? 0);
}
