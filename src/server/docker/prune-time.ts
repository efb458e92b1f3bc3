/**
 * The filter `until` of a prune, as Docker reads it.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';

const UNITS: Readonly<Record<string, number>> = {
  ns: 1e-6,
  us: 1e-3,
  µs: 1e-3,
  ms: 1,
  s: 1000,
  m: 60_000,
  h: 3_600_000,
};
const DURATION = /^(?:\d{1,12}(?:\.\d{1,9})?(?:ns|us|µs|ms|s|m|h))+$/;
const DURATION_PART = /(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g;
const SECONDS = /^\d{1,11}(?:\.\d{1,9})?$/;
/** RFC 3339, or a date with fewer parts. Without a zone it is local time. */
const DATE = /^\d{4}-\d\d-\d\d(?:T\d\d(?::\d\d(?::\d\d(?:\.\d{1,9})?)?)?)?(?:Z|[+-]\d\d:\d\d)?$/;

/**
 * @param now milliseconds since 1970: a duration (`24h`, `1h30m`) counts back from here
 * @returns milliseconds since 1970
 * @throws A3sError `invalid-argument`
 */
export function parsePruneTime(text: string, now: number): number {
  if (DURATION.test(text)) {
    let sum = 0;
    for (const [, value, unit] of text.matchAll(DURATION_PART)) {
      sum += Number(value) * (UNITS[unit ?? ''] ?? 0);
    }
    return now - sum;
  }
  if (SECONDS.test(text)) return Number(text) * 1000;
  const time = DATE.test(text) ? Date.parse(completed(text)) : Number.NaN;
  if (!Number.isNaN(time)) return time;
  throw new A3sError('invalid-argument', `invalid filter 'until=${text.slice(0, 64)}'`, {
    remedy:
      'Give a duration such as 24h, seconds since 1970, or a time such as 2026-01-31T12:00:00.',
  });
}

/** Completes the text for JavaScript, which needs a minute, and reads a bare date as UTC. */
function completed(text: string): string {
  const [, moment = '', zone = ''] = /^(.*?)(Z|[+-]\d\d:\d\d)?$/.exec(text) ?? [];
  const time = moment.includes('T') ? moment : `${moment}T00`;
  return `${time.includes(':') ? time : `${time}:00`}${zone}`;
}
