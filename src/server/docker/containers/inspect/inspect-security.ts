/**
 * What `HostConfig` of an inspection says of what the processes of a box may do.
 *
 * @module
 */
import type { Security } from '../../../../boxes/record/security.ts';
import type { HostConfigShown } from '../../../../docker-api/container.ts';

export function securityShown(security: Security): Pick<HostConfigShown, 'CapAdd' | 'CapDrop'> {
  return { CapAdd: orNull(security.capAdd), CapDrop: orNull(security.capDrop) };
}

/** As in Docker, an empty list is null. */
function orNull(list: readonly string[]): readonly string[] | null {
  return list.length === 0 ? null : list;
}
