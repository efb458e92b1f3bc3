/**
 * The permissions of a confidential box's host, as a flag or an annotation has them.
 *
 * @module
 */
import type { HostPermission } from '@a3s-box/policies';

/** Repeated here, so that the command line does not load the schemas. */
export const PERMISSIONS = [
  'attach',
  'exec',
  'files',
  'logs',
  'signals',
  'stats',
] as const satisfies readonly HostPermission[];

/** @throws RangeError for an unknown permission */
export function parsePermissions(text: string): readonly HostPermission[] {
  return text.split(',').map((word) => {
    const permission = PERMISSIONS.find((name) => name === word);
    if (permission !== undefined) return permission;
    throw new RangeError(`it takes a list of ${PERMISSIONS.join(', ')}`);
  });
}
