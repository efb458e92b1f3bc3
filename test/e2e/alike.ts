/**
 * Tests that are the same for every user: run for the first one, and in a soak for all of them.
 *
 * @module
 */
import { it } from 'vitest';
import { type ActorName, testsEverything } from './actor.ts';

const none = (): void => undefined;
/** What is not made is no test, where a skipped one would be. */
const NOT_MADE = Object.assign(none, { each: () => none });

/** `it`, for this user. */
export function alikeFor(name: ActorName): typeof it {
  return testsEverything(name) ? it : (NOT_MADE as unknown as typeof it);
}
