/**
 * What the launch spec lets the host do with a box. The guest decides it, whatever the host thinks; here it is said early,
 * with what to do, and before anything is changed.
 *
 * @module
 */
import type { HostPermission } from '@a3s-box/policies';
import { A3sError } from '../../errors.ts';
import type { Box } from './box.ts';

/** Whether a plain box, or one whose spec says so. */
export function hostMay({ definition }: Pick<Box, 'definition'>, permission: HostPermission) {
  return definition.confidential?.hostMay.includes(permission) ?? true;
}

/** Whether there is anybody here who may see what the main process writes. */
export function hostSeesOutput(box: Pick<Box, 'definition'>): boolean {
  return hostMay(box, 'logs') || hostMay(box, 'attach');
}

/**
 * @param what for the message, such as `run a program in`
 * @param permissions any of which is enough
 * @throws A3sError `host-not-permitted`
 */
export function expectPermission(
  box: Pick<Box, 'definition' | 'name'>,
  what: string,
  ...permissions: readonly HostPermission[]
): void {
  if (permissions.some((permission) => hostMay(box, permission))) return;
  const [first = 'exec'] = permissions;
  throw new A3sError(
    'host-not-permitted',
    `Cannot ${what} ${box.name}: the launch spec of this confidential box does not let the host (${permissions.join(' or ')})`,
    {
      remedy: `Create it with --host-may ${first}: whoever verifies the box then sees that the host may.`,
    },
  );
}
