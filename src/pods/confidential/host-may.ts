/**
 * What the launch spec of a confidential pod permits its host. The guest enforces it. This check
 * reports a refusal early, with a remedy, before anything is begun.
 *
 * @module
 */
import type { HostPermission } from '@a3s-box/policies';
import { A3sError } from '../../errors.ts';
import type { PodDefinition } from '../record/pod.ts';
import { podLaunchSpec } from './pod-launch-spec.ts';

type Asked = Pick<PodDefinition, 'id' | 'confidential'>;

/** Whether the pod is plain, or its launch spec grants any of the permissions. */
export function podPermits(
  { confidential }: Pick<Asked, 'confidential'>,
  ...permissions: readonly HostPermission[]
): boolean {
  if (confidential === undefined) return true;
  const { hostMay } = podLaunchSpec(confidential);
  return permissions.some((permission) => hostMay.includes(permission));
}

/**
 * @param what for the message, such as `run a program in`
 * @throws A3sError `host-not-permitted`
 */
export function expectPodPermits(
  pod: Asked,
  what: string,
  ...permissions: readonly HostPermission[]
): void {
  if (podPermits(pod, ...permissions)) return;
  throw new A3sError(
    'host-not-permitted',
    `Cannot ${what} the pod ${pod.id}: its launch spec does not let the host (${permissions.join(' or ')})`,
    {
      remedy: `Annotate the pod with dev.a3s.host-may: ${permissions[0]} before a3s-box pod measure reads it. A verifier of the pod sees this permission.`,
    },
  );
}

/**
 * Refuses what no launch spec can permit.
 *
 * @param what for the message, such as `change the limits of`
 * @throws A3sError `unsupported-option`
 */
export function expectPlainPod({ id, confidential }: Asked, what: string, why: string): void {
  if (confidential === undefined) return;
  throw new A3sError('unsupported-option', `Cannot ${what} the confidential pod ${id}: ${why}`, {
    remedy: 'Run another pod, with another launch spec.',
  });
}
