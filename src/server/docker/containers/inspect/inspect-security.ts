/**
 * What `HostConfig` of an inspection says of what the processes of a box may do.
 *
 * @module
 */

import type { Security } from '../../../../boxes/record/security.ts';
import { pathsOf } from '../../../../boxes/spec/confinement/confinement.ts';
import type { HostConfigShown } from '../../../../docker-api/containers/container.ts';

type Shown = Pick<
  HostConfigShown,
  | 'CapAdd'
  | 'CapDrop'
  | 'CgroupnsMode'
  | 'GroupAdd'
  | 'IpcMode'
  | 'Isolation'
  | 'OomScoreAdj'
  | 'PidMode'
  | 'Privileged'
  | 'Runtime'
  | 'SecurityOpt'
  | 'UTSMode'
  | 'UsernsMode'
  | 'DeviceCgroupRules'
  | 'Devices'
  | 'MaskedPaths'
  | 'ReadonlyPaths'
  | 'Annotations'
  | 'Sysctls'
>;

export function securityShown(security: Security): Shown {
  const { privileged, securityOpt, annotations, sysctls, maskedPaths, readonlyPaths } = security;
  const paths = pathsOf(security);
  return {
    CapAdd: orNull(security.capAdd),
    CapDrop: orNull(security.capDrop),
    CgroupnsMode: 'private',
    GroupAdd: orNull(security.groupAdd),
    IpcMode: security.ipcMode,
    OomScoreAdj: security.oomScoreAdj,
    PidMode: '',
    Privileged: privileged,
    // Docker adds this to privileged containers.
    SecurityOpt: orNull(privileged ? [...securityOpt, 'label=disable'] : securityOpt),
    UTSMode: '',
    UsernsMode: security.usernsMode,
    Isolation: security.isolation,
    Runtime: security.runtime,
    DeviceCgroupRules: orNull(security.deviceRules),
    Devices: orNull(
      security.devices.map(({ path, permissions }) => ({
        PathOnHost: path,
        PathInContainer: path,
        CgroupPermissions: permissions,
      })),
    ),
    // As in Docker, null for a privileged box that names none.
    MaskedPaths: privileged && maskedPaths === undefined ? null : paths.maskedPaths,
    ReadonlyPaths: privileged && readonlyPaths === undefined ? null : paths.readonlyPaths,
    // Docker leaves both out where there are none.
    ...(Object.keys(annotations).length === 0 ? {} : { Annotations: annotations }),
    ...(Object.keys(sysctls).length === 0 ? {} : { Sysctls: sysctls }),
  };
}

/** As in Docker, an empty list is null. */
function orNull<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list;
}
