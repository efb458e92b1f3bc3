/**
 * Tests that are not made everywhere.
 *
 * @module
 */
import { it } from 'vitest';
import { SOAK } from './soak.ts';

const none = (): void => undefined;
/** What is not made is no test, where a skipped one would be. */
const NOT_MADE = Object.assign(none, { each: () => none });

/** `it` where the condition holds. */
export function itWhere(condition: boolean): typeof it {
  return condition ? it : (NOT_MADE as unknown as typeof it);
}

/** `it`, in a soak. A `describe` needs another test beside it: an empty one fails its file. */
export const itInSoak: typeof it = itWhere(SOAK);
