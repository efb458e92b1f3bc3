/**
 * `--restart no|always|unless-stopped|on-failure[:MAX]`.
 *
 * @module
 */
import type { RestartPolicy } from '../../docker-api/containers/restart-policy.ts';

const NAMES = ['no', 'always', 'unless-stopped', 'on-failure'];

/** Empty means `no`. @throws RangeError in Docker's words */
export function parseRestartPolicy(text: string): RestartPolicy {
  const [name = '', count, ...more] = text.split(':');
  if (more.length > 0) throw new RangeError('invalid restart policy format: too many colons');
  const Name = name === '' && count === undefined ? 'no' : name;
  if (!NAMES.includes(Name)) {
    throw new RangeError(
      `invalid restart policy: unknown policy '${name}'; use one of '${NAMES.join("', '")}'`,
    );
  }
  if (count === undefined) return { Name, MaximumRetryCount: 0 };
  if (!/^\d{1,9}$/.test(count)) {
    throw new RangeError('invalid restart policy format: maximum retry count must be an integer');
  }
  if (Name !== 'on-failure') {
    throw new RangeError(
      "invalid restart policy: maximum retry count can only be used with 'on-failure'",
    );
  }
  return { Name, MaximumRetryCount: Number(count) };
}
