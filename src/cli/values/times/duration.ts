/**
 * Parses timeouts and periods.
 *
 * @module
 */

const SECONDS: Readonly<Record<string, number>> = { ms: 1e-3, s: 1, m: 60, h: 3600 };
const LONGEST_SECONDS = 3600;

/**
 * Milliseconds of `30s`, `500ms`, `2m`, or of plain seconds, `30`: more than zero, at most an hour.
 *
 * @throws RangeError for anything else
 */
export function parseTimeLimit(text: string): number {
  const [, number = '', unit = 's'] = /^(\d{1,7})(ms|s|m|h)?$/.exec(text) ?? [];
  const seconds = number === '' ? Number.NaN : Number(number) * (SECONDS[unit] ?? 0);
  if (!(seconds > 0 && seconds <= LONGEST_SECONDS)) {
    throw new RangeError('it takes a time of at most an hour, such as 30s');
  }
  return Math.ceil(seconds * 1000);
}
