/**
 * How long a box waits for its secrets, as it is written in a flag or an annotation.
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
  const [, number = '', unit = 's'] = /^(\d{1,5})(s|m|h)?$/.exec(text) ?? [];
  const seconds = number === '' ? Number.NaN : Number(number) * (SECONDS[unit] ?? 0);
  if (seconds >= 1 && seconds <= LONGEST_DEADLINE) return seconds;
  throw new RangeError('it takes a time of at most a day, such as 10m');
}
