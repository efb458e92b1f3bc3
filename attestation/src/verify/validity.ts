/**
 * Whether something is valid at a time.
 *
 * @module
 */
import { AttestationError } from '../errors.ts';
import type { VerifyCode } from './verify-checks.ts';

/** A span of time, in milliseconds since 1970, both ends included (RFC 5280, 4.1.2.5). */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Refuses with `code` unless `now` lies in the span. */
export function checkValidity(
  code: VerifyCode,
  what: string,
  { from, to }: Span,
  now: number,
): void {
  if (now >= from && now <= to) return;
  throw new AttestationError(
    code,
    `Cannot trust ${what}: it is ${now < from ? 'not valid yet' : 'no longer valid'}.`,
    {
      expected: `a time from ${timestamp(from)} to ${timestamp(to)}`,
      found: timestamp(now),
    },
  );
}

/** RFC 3339, to the second as certificates have it, or finer. */
export function timestamp(milliseconds: number): string {
  return new Date(milliseconds).toISOString().replace('.000Z', 'Z');
}
