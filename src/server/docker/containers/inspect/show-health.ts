/**
 * The health of a box in Docker's documents.
 *
 * @module
 */
import type { Box, HealthState } from '../../../../boxes/record/box.ts';

/** `State.Health` of an inspection. */
export function healthOf(health: HealthState) {
  return {
    Status: health.status,
    FailingStreak: health.failingStreak,
    Log: health.log.map(({ start, end, exitCode, output }) => ({
      ...{ Start: start, End: end, ExitCode: exitCode, Output: output },
    })),
  };
}

/** The text after the time that a box is up: ` (healthy)`, ` (health: starting)`, or nothing. */
export function healthText({ state: { health } }: Box): string {
  if (health === undefined) return '';
  return health.status === 'starting' ? ' (health: starting)' : ` (${health.status})`;
}
