/**
 * A moment as RFC 3339 writes it, for decisions that must not depend on the local time zone.
 *
 * @module
 */

const PATTERN =
  /^(\d{4})-(\d\d)-(\d\d)T([01]\d|2[0-3]):([0-5]\d):([0-5]\d)(\.\d{1,9})?(Z|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/i;

/**
 * Date, time and offset, all of them: `2026-03-01T12:00:00Z`, `2026-03-01T13:00:00+01:00`. `t` and
 * `z` may be lower-case.
 *
 * @throws RangeError for anything else, and for days that do not exist
 */
export function parseInstant(text: string): Date {
  const match = PATTERN.exec(text);
  const [, year = '', month = '', day = ''] = match ?? [];
  const instant = new Date(match === null ? Number.NaN : text.toUpperCase());
  if (Number.isNaN(instant.getTime()) || Number(day) > daysIn(Number(year), Number(month))) {
    throw new RangeError('it takes date, time and offset, such as 2026-03-01T12:00:00Z');
  }
  return instant;
}

function daysIn(year: number, month: number): number {
  // The day before the first of the next month. Years below 100 would be taken for 19xx.
  const last = new Date(Date.UTC(2000, month, 0));
  last.setUTCFullYear(year, month, 0);
  return last.getUTCDate();
}
