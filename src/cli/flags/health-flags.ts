/**
 * The flags of a box's health check.
 *
 * @module
 */
import { bool, type Flag, int, string } from './flag.ts';

const DURATION = { value: 'duration' };

export const HEALTH_FLAGS: readonly Flag[] = [
  string('health-cmd', 'Command to run to check health'),
  string('health-interval', 'Time between running the check (ms|s|m|h) (default 0s)', DURATION),
  int('health-retries', 'Consecutive failures needed to report unhealthy'),
  string(
    'health-start-interval',
    'Time between running the check during the start period (ms|s|m|h) (default 0s)',
    DURATION,
  ),
  string(
    'health-start-period',
    'Start period for the box to initialize before starting health-retries countdown (ms|s|m|h) (default 0s)',
    DURATION,
  ),
  string(
    'health-timeout',
    'Maximum time to allow one check to run (ms|s|m|h) (default 0s)',
    DURATION,
  ),
  bool('no-healthcheck', 'Disable any HEALTHCHECK of the image'),
];
