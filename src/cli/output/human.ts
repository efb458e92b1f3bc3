/**
 * Sizes and spans of time in Docker's words.
 *
 * @module
 */

const UNITS = ['B', 'kB', 'MB', 'GB', 'TB', 'PB'];

/** `4.26MB`: decimal units; Docker shows three significant digits in lists, and four elsewhere. */
export function humanSize(bytes: number, digits = 3): string {
  let size = bytes;
  let unit = 0;
  while (size >= 1000 && unit < UNITS.length - 1) {
    size /= 1000;
    unit++;
  }
  return `${Number(size.toPrecision(digits))}${UNITS[unit]}`;
}

/** The last line of what removes things. */
export function reclaimed(bytes: number): string {
  return `Total reclaimed space: ${humanSize(bytes, 4)}\n`;
}

/** `1.944GiB`: binary units, four significant digits, as `info` shows memory. */
export function humanMemory(bytes: number): string {
  let size = bytes;
  let unit = 0;
  while (size >= 1024 && unit < 5) {
    size /= 1024;
    unit++;
  }
  return `${Number(size.toPrecision(4))}${['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'][unit]}`;
}

/** `About a minute`, `3 hours`. */
export function humanDuration(milliseconds: number): string {
  const seconds = Math.trunc(milliseconds / 1000);
  if (seconds < 1) return 'Less than a second';
  if (seconds === 1) return '1 second';
  if (seconds < 60) return `${seconds} seconds`;
  const minutes = Math.trunc(seconds / 60);
  if (minutes === 1) return 'About a minute';
  if (minutes < 60) return `${minutes} minutes`;
  const hours = Math.round(seconds / 3600);
  if (hours === 1) return 'About an hour';
  if (hours < 48) return `${hours} hours`;
  if (hours < 24 * 14) return `${Math.trunc(hours / 24)} days`;
  if (hours < 24 * 60) return `${Math.trunc(hours / 24 / 7)} weeks`;
  if (hours < 24 * 365 * 2) return `${Math.trunc(hours / 24 / 30)} months`;
  return `${Math.trunc(hours / 24 / 365)} years`;
}

/** `2024-01-02 15:04:05 +0100 CET`, local time. */
export function localTime(milliseconds: number): string {
  const date = new Date(milliseconds);
  const two = (value: number): string => String(value).padStart(2, '0');
  const offset = -date.getTimezoneOffset();
  const sign = offset < 0 ? '-' : '+';
  const zone = `${sign}${two(Math.trunc(Math.abs(offset) / 60))}${two(Math.abs(offset) % 60)}`;
  const day = `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const clock = `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
  return `${day} ${clock} ${zone} ${zoneName(date)}`;
}

let zones: Intl.DateTimeFormat | undefined;

/** A format is made once: it costs more than a row of a list. */
function zoneName(date: Date): string {
  zones ??= new Intl.DateTimeFormat('en-US', { timeZoneName: 'short' });
  const parts = zones.formatToParts(date);
  return parts.find((part) => part.type === 'timeZoneName')?.value ?? '';
}

/** At most `width` characters, the last one an ellipsis where something is cut. */
export function ellipsis(text: string, width: number): string {
  const characters = [...text];
  if (characters.length <= width) return text;
  return `${characters.slice(0, width - 1).join('')}…`;
}

/**
 * A time of RFC 3339 in UTC, as Go prints it: `2026-01-02 03:04:05.6 +0000 UTC`, without zeros at
 * its end.
 */
export function utcTime(text: string): string {
  const [, day, clock, fraction = ''] =
    /^(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d{1,9})?Z$/.exec(text) ?? [];
  if (day === undefined) return text;
  return `${day} ${clock}${fraction.replace(/\.?0*$/, '')} +0000 UTC`;
}
