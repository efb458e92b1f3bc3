/**
 * What the launch spec permits the host to do with a box. The guest enforces it. This check on the
 * host reports a refusal early, with a remedy, before anything is changed.
 *
 * @module
 */
import type { HostPermission } from '@a3s-box/policies';
import type { Box } from './box.ts';
import { SpecRefusal } from './spec-refusal.ts';

/** Whether the box is plain, or its launch spec grants the permission. */
export function hostMay({ definition }: Pick<Box, 'definition'>, permission: HostPermission) {
  return definition.confidential?.hostMay.includes(permission) ?? true;
}

/** Whether the host may see what the main process writes at all. */
export function hostSeesOutput(box: Pick<Box, 'definition'>): boolean {
  return hostMay(box, 'logs') || hostMay(box, 'attach');
}

/**
 * @param what for the message, such as `run a program in`
 * @param permissions any of them is enough
 * @throws A3sError `host-not-permitted`
 */
export function expectPermission(
  box: Pick<Box, 'definition' | 'name'>,
  what: string,
  ...permissions: readonly HostPermission[]
): void {
  if (permissions.some((permission) => hostMay(box, permission))) return;
  const [first = 'exec'] = permissions;
  throw new SpecRefusal(
    'host-not-permitted',
    `Cannot ${what} ${box.name}: the launch spec of this confidential box does not let the host (${permissions.join(' or ')})`,
    {
      ...{ box, decided: { rule: 'hostMay', needs: permissions } },
      remedy: `Create it with --host-may ${first}. A verifier of the box sees this permission.`,
    },
  );
}
