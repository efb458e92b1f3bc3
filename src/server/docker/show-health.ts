/**
 * The health of a box in Docker's documents.
 *
 * @module
 */
import type { Box } from '../../boxes/box.ts';

/** `State.Health` of an inspection; undefined where nothing is checked, or was never. */
export function healthOf({ state: { health } }: Box) {
  if (health === undefined) return undefined;
  return {
    Status: health.status,
    FailingStreak: health.failingStreak,
    Log: health.log.map(({ start, end, exitCode, output }) => ({
      ...{ Start: start, End: end, ExitCode: exitCode, Output: output },
    })),
  };
}

/** Behind the time that a box is up: ` (healthy)`, ` (health: starting)`, or nothing. */
export function healthText({ state: { health } }: Box): string {
  if (health === undefined) return '';
  return health.status === 'starting' ? ' (health: starting)' : ` (${health.status})`;
}
