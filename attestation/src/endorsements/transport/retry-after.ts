/**
 * Retry-After (RFC 9110, 10.2.3).
 *
 * @module
 */

/** The one date format that a sender may use (RFC 9110, 5.6.7). */
const IMF_FIXDATE = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;

/** Milliseconds from `now` on; undefined where the header is missing or says something else. */
export function retryAfter(header: string | null, now: number): number | undefined {
  const text = header ?? '';
  if (/^\d{1,9}$/.test(text)) return Number(text) * 1000;
  const at = IMF_FIXDATE.test(text) ? Date.parse(text) : Number.NaN;
  return Number.isNaN(at) ? undefined : Math.max(at - now, 0);
}
