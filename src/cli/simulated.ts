/**
 * What is said wherever a simulated box is made or looked at.
 *
 * @module
 */
import { objectOf } from './client/json.ts';
import type { Context } from './context.ts';

/** On stderr, so that output stays the box's own. */
export function sayIfSimulated({ stderr }: Pick<Context, 'stderr'>, simulated: boolean): void {
  if (!simulated) return;
  stderr.write(
    'SIMULATED: no hardware protects this box; its host can read its memory, secrets included\n',
  );
}

/** Whether a box's document is that of a simulated one. */
export function isSimulated(box: unknown): boolean {
  return objectOf(objectOf(box)['Confidential'])['Simulated'] === true;
}
