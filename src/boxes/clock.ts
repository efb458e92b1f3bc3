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

/** Nanoseconds since 1970; the host's clock gives microseconds. */
export function now(): bigint {
  return BigInt(Math.round((performance.timeOrigin + performance.now()) * 1000)) * 1000n;
}
