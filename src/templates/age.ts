/**
 * How old a template is. All boxes that start from it share the random state that its guest's
 * kernel drew at boot.
 *
 * @module
 */
import type { TemplateRecord } from './record.ts';
import type { Clock, StoredTemplate } from './template-directory.ts';

type Dated = Pick<StoredTemplate, 'seen'> & { readonly record: Pick<TemplateRecord, 'createdAt'> };

/** A clock that is set by a small step changes no age. */
const SLACK_MS = 5 * 60_000;
/**
 * From this part of its maximum age on, a template that is used is rebuilt, so that no box has to
 * wait when it expires.
 */
const RENEW = 0.75;

/**
 * The age in milliseconds, by the clock that shows more: one clock can be set back, and the other
 * is stopped while the host sleeps. A template from the future is infinitely old.
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
