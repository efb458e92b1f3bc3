/**
 * The two forms of time that records hold.
 *
 * @module
 */

/** RFC 3339 with nanoseconds, as Docker writes it. */
export function timestamp(nanoseconds: bigint): string {
  const seconds = new Date(Number(nanoseconds / 1_000_000_000n) * 1000).toISOString().slice(0, 19);
  return `${seconds}.${String(nanoseconds % 1_000_000_000n).padStart(9, '0')}Z`;
}

/**
 * `Date` leaves out fractions of a millisecond. A difference as small as this does not mean that
 * the clock was set.
 */
const STEP_MS = 10;

/** The wall-clock time at which the monotonic clock was zero, in milliseconds since 1970. */
let origin = performance.timeOrigin;

/** Nanoseconds since 1970. `Date` gives milliseconds, the monotonic clock microseconds. */
export function now(): bigint {
  const before = performance.now();
  const wall = Date.now();
  const monotonic = performance.now();
  // The monotonic clock does not notice when the host's clock is set, and stops while the host
  // sleeps.
  const early = wall + STEP_MS < origin + before;
  const late = wall > origin + monotonic + STEP_MS;
  if (early || late) origin = wall - monotonic;
  return BigInt(Math.round((origin + monotonic) * 1000)) * 1000n;
}
