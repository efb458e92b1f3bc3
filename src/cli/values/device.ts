/**
 * `--device HOST[:BOX][:PERMISSIONS]`, and `--device-cgroup-rule 'TYPE MAJOR:MINOR ACCESS'`.
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

/** @throws RangeError in Docker's words */
export function parseDeviceRule(text: string): string {
  if (/^[acb] (?:\d+|\*):(?:\d+|\*) [rwm]{1,3}$/.test(text)) return text;
  throw new RangeError(`invalid device cgroup format '${text}'`);
}
