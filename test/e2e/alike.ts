/**
 * Tests that are the same for every user: run for the first one, and in a soak for all of them.
 *
 * @module
 */
import type { it } from 'vitest';
import { type ActorName, testsEverything } from './actor.ts';
import { itWhere } from './it-where.ts';

/** `it`, for this user. */
export function alikeFor(name: ActorName): typeof it {
  return itWhere(testsEverything(name));
}
