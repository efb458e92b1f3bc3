/**
 * Points in time as `logs --since` takes them.
 *
 * @module
 */

const SECONDS: Readonly<Record<string, number>> = {
  ns: 1e-9,
  us: 1e-6,
  '\u00b5s': 1e-6,
  ms: 1e-3,
  s: 1,
  m: 60,
  h: 3600,
};

/**
 * Seconds since the epoch, with a fraction, from a time (`2024-01-02T15:04:05Z`, a date, Unix
 * seconds) or from how long ago it was (`1h30m`). A time without a zone is local.
 *
 * @throws RangeError for anything else
 */
export function parseTimestamp(text: string, now: number): string {
  if (/^\d+(\.\d{1,9})?$/.test(text)) return text;
  const ago = parseDuration(text);
  if (ago !== undefined) return (now / 1000 - ago).toFixed(9);
  const match =
    /^(\d{4}-\d\d-\d\d)(?:T(\d\d(?::\d\d(?::\d\d)?)?)(\.\d{1,9})?(Z|[+-]\d\d:\d\d)?)?(Z)?$/.exec(
      text,
    );
  if (match === null) throw new RangeError('not a time or a duration');
  const [, date = '', clock = '00', fraction = '', zone = match[5] ?? ''] = match;
  const time = clock.padEnd(8, ':00');
  const milliseconds = Date.parse(`${date}T${time}${zone}`);
  if (Number.isNaN(milliseconds)) throw new RangeError('not a time or a duration');
  return `${milliseconds / 1000}${fraction}`;
}

/** Go's durations in seconds: `42m`, `1h30m`, `1.5s`; undefined for what is none. */
function parseDuration(text: string): number | undefined {
  if (!/^(\d+(\.\d+)?(ns|us|\u00b5s|ms|s|m|h))+$/.test(text)) return undefined;
  let seconds = 0;
  for (const [, number, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|\u00b5s|ms|s|m|h)/g)) {
    seconds += Number(number) * (SECONDS[unit ?? ''] ?? 0);
  }
  return seconds;
}
