/**
 * The flags of the health check, as `Healthcheck` of a create request.
 *
 * @module
 */
import type { FlagValues } from '../flags/flag-values.ts';
import { UsageError } from '../usage-error.ts';
import { parseGoDuration } from '../values/go-duration.ts';

export type Healthcheck = Readonly<Record<string, unknown>>;

/** Undefined where the image's own stands. @throws UsageError in Docker's words */
export function healthcheck(flags: FlagValues): Healthcheck | undefined {
  const command = flags.string('health-cmd') ?? '';
  const times = {
    Interval: duration(flags, 'health-interval'),
    Timeout: duration(flags, 'health-timeout'),
    StartPeriod: duration(flags, 'health-start-period'),
    StartInterval: duration(flags, 'health-start-interval'),
  };
  const retries = flags.int('health-retries') ?? 0;
  const given = Object.entries({ ...times, Retries: retries }).filter(([, value]) => value !== 0);
  const asked = command !== '' || given.length > 0;
  if (flags.bool('no-healthcheck')) {
    if (asked) throw new UsageError('--no-healthcheck conflicts with --health-* options');
    return { Test: ['NONE'] };
  }
  if (!asked) return undefined;
  if (retries < 0) throw new UsageError('--health-retries cannot be negative');
  const test = command === '' ? {} : { Test: ['CMD-SHELL', command] };
  return { ...test, ...Object.fromEntries(given) };
}

function duration(flags: FlagValues, name: string): number {
  const nanoseconds = flags.parsed(name, parseGoDuration) ?? 0;
  if (nanoseconds < 0) throw new UsageError(`--${name} cannot be negative`);
  return nanoseconds;
}
