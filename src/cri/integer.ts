/**
 * The 64-bit numbers of CRI.
 *
 * @module
 */
import { invalid } from './refusal.ts';

/** @throws A3sError `invalid-argument` for one that is out of bounds */
export function integer(
  value: bigint,
  field: string,
  least: number,
  most: number = Number.MAX_SAFE_INTEGER,
): number {
  if (value >= BigInt(least) && value <= BigInt(most)) return Number(value);
  throw invalid(field, `${value} is not between ${least} and ${most}`);
}

/** Of a user or a group. */
export function numericId(value: bigint, field: string): string {
  return String(integer(value, field, 0, 0xffff_ffff));
}

/** Nanoseconds since 1970, of a time as records have it; 0 where there is none. */
export function nanoseconds(time: string | undefined): bigint {
  const [, seconds, fraction] = /^(.{19})\.(\d{9})Z$/.exec(time ?? '') ?? [];
  if (seconds === undefined || fraction === undefined) return 0n;
  return BigInt(Date.parse(`${seconds}Z`)) * 1_000_000n + BigInt(fraction);
}
