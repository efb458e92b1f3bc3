/**
 * `--device HOST[:BOX][:PERMISSIONS]`.
 *
 * @module
 */

interface Device {
  readonly PathOnHost: string;
  readonly PathInContainer: string;
  readonly CgroupPermissions: string;
}

/** @throws RangeError in Docker's words */
export function parseDevice(text: string): Device {
  const [source = '', second, third, ...more] = text.split(':');
  if (source === '' || more.length > 0) {
    throw new RangeError(`invalid device specification: ${text}`);
  }
  const isMode = second !== undefined && /^(?!.*(.).*\1)[rwm]+$/.test(second);
  const target = second === undefined || second === '' || isMode ? source : second;
  return {
    PathOnHost: source,
    PathInContainer: target,
    CgroupPermissions: third ?? (isMode ? second : 'rwm'),
  };
}
