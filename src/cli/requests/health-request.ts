/**
 * The flags of the health check, as `Healthcheck` of a create request.
 *
 * @module
 */
import type { Healthcheck } from '../../docker-api/containers/healthcheck.ts';
import type { FlagValues } from '../flags/flag-values.ts';
import { UsageError } from '../usage-error.ts';
import { parseGoDuration } from '../values/times/go-duration.ts';

/** Undefined where the image's own stands. @throws UsageError in Docker's words */
export function healthcheck(flags: FlagValues): Healthcheck | undefined {
  const command = flags.string('health-cmd') ?? '';
  const check: Healthcheck = {
    Test: command === '' ? undefined : ['CMD-SHELL', command],
    Interval: duration(flags, 'health-interval'),
    Timeout: duration(flags, 'health-timeout'),
    StartPeriod: duration(flags, 'health-start-period'),
    StartInterval: duration(flags, 'health-start-interval'),
    Retries: flags.int('health-retries') || undefined,
  };
  const asked = Object.values(check).some((value) => value !== undefined);
  if (flags.bool('no-healthcheck')) {
    if (asked) throw new UsageError('--no-healthcheck conflicts with --health-* options');
    return { Test: ['NONE'] };
  }
  if (!asked) return undefined;
  if ((check.Retries ?? 0) < 0) throw new UsageError('--health-retries cannot be negative');
  return check;
}

/** Nothing is not asked for, and inherits. */
function duration(flags: FlagValues, name: string): number | undefined {
  const nanoseconds = flags.parsed(name, parseGoDuration) ?? 0;
  if (nanoseconds < 0) throw new UsageError(`--${name} cannot be negative`);
  return nanoseconds || undefined;
}
