/**
 * `--log-driver` and `--log-opt`, as `LogConfig` of a create request.
 *
 * @module
 */
import type { HostConfig } from '../../docker-api/containers/create.ts';
import type { FlagValues } from '../flags/flag-values.ts';
import { UsageError } from '../usage-error.ts';
import { toMap } from '../values/environment.ts';

/** Undefined where neither is given. @throws UsageError in Docker's words */
export function logConfig(flags: FlagValues): HostConfig['LogConfig'] {
  const driver = flags.string('log-driver');
  const options = flags.list('log-opt');
  if (driver === undefined && options.length === 0) return undefined;
  if (driver === 'none' && options.length > 0) {
    throw new UsageError('invalid logging opts for driver none');
  }
  return { Type: driver ?? '', Config: toMap(options) };
}
