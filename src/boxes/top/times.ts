/**
 * Times as `ps` writes them, in UTC, since the host does not know a box's time zone.
 *
 * @module
 */

const DAY_MS = 86_400_000;
const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');
const WEEKDAYS = 'Sun Mon Tue Wed Thu Fri Sat'.split(' ');

const two = (number: number): string => String(number).padStart(2, '0');

interface Parts {
  readonly days: number;
  readonly hours: number;
  readonly minutes: number;
  readonly seconds: number;
}

function partsOf(seconds: number): Parts {
  return {
    days: Math.floor(seconds / 86_400),
    hours: Math.floor(seconds / 3600) % 24,
    minutes: Math.floor(seconds / 60) % 60,
    seconds: seconds % 60,
  };
}

/** `[dd-]hh:mm:ss` */
export function clock(whole: number): string {
  const { days, hours, minutes, seconds } = partsOf(whole);
  const time = `${two(hours)}:${two(minutes)}:${two(seconds)}`;
  return days === 0 ? time : `${two(days)}-${time}`;
}

/** `[[dd-]hh:]mm:ss` */
export function elapsed(whole: number): string {
  const { days, hours, minutes, seconds } = partsOf(whole);
  if (days === 0 && hours === 0) return `${two(minutes)}:${two(seconds)}`;
  return clock(whole);
}

function day(date: Date): string {
  return `${MONTHS[date.getUTCMonth()]}${two(date.getUTCDate())}`;
}

const time = (date: Date): string => `${two(date.getUTCHours())}:${two(date.getUTCMinutes())}`;

/** `HH:MM` for a start today, the date for one this year, else the year. */
export function shortStart(start: number, now: number): string {
  const date = new Date(start);
  const today = new Date(now);
  if (date.getUTCFullYear() !== today.getUTCFullYear()) return String(date.getUTCFullYear());
  return day(date) === day(today) ? time(date) : day(date);
}

/** `HH:MM:SS`, or the date of a start more than a day ago. */
export function startOfDay(start: number, now: number): string {
  const date = new Date(start);
  if (now - start < DAY_MS) return `${time(date)}:${two(date.getUTCSeconds())}`;
  return `${MONTHS[date.getUTCMonth()]} ${two(date.getUTCDate())}`;
}

/** `Thu Jan  1 00:00:00 1970` */
export function longStart(start: number): string {
  const date = new Date(start);
  const number = String(date.getUTCDate()).padStart(2, ' ');
  const clockTime = `${time(date)}:${two(date.getUTCSeconds())}`;
  return `${WEEKDAYS[date.getUTCDay()]} ${MONTHS[date.getUTCMonth()]} ${number} ${clockTime} ${date.getUTCFullYear()}`;
}
