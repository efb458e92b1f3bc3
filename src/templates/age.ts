/**
 * How old a template is: what its guest's kernel drew at boot is shared by all that start from it.
 *
 * @module
 */
import type { TemplateRecord } from './record.ts';
import type { Clock, StoredTemplate } from './template-directory.ts';

type Dated = Pick<StoredTemplate, 'seen'> & { readonly record: Pick<TemplateRecord, 'createdAt'> };

/** Clocks that are set by a little make nothing older or younger. */
const SLACK_MS = 5 * 60_000;
/** From this part of its age on, one that is used is made anew, so that nobody has to wait when it expires. */
const RENEW = 0.75;

/**
 * In milliseconds, by the clock that says more: one can be set back, the other stands still while the host sleeps. One
 * from the future is infinitely old.
 */
export function ageOf(entry: Dated, clock: Clock): number {
  const created = Date.parse(entry.record.createdAt);
  const wall = clock.wall() - created;
  if (wall < -SLACK_MS) return Number.POSITIVE_INFINITY;
  const steady = entry.seen.wall - created + clock.steady() - entry.seen.steady;
  return Math.max(wall, steady);
}

export function expired(age: number, maxAgeMs: number): boolean {
  return age >= maxAgeMs;
}

export function due(age: number, maxAgeMs: number): boolean {
  return age >= maxAgeMs * RENEW;
}
