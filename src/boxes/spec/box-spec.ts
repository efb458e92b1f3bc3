/**
 * The box spec of a definition.
 *
 * @module
 */
import { BOX_SPEC_SCHEMA, type BoxSpec } from '@a3s-box/policies';
import { type BoxDefinition, commandOf, directoryOf } from '../record/box.ts';
import { confinementOf } from './confinement/confinement.ts';
import { authoritiesOf, variablesOf } from './egress-secrets.ts';
import { processEnvironment } from './environment.ts';
import { memoryMounts } from './memory-mounts.ts';
import { resourcesOf } from './resources.ts';
import { sysctlsOf } from './sysctls.ts';
import { volumeDirectories } from './volumes.ts';

/** The fields of a definition that the box spec contains. */
export type Described = Pick<
  BoxDefinition,
  | 'hostname'
  | 'entrypoint'
  | 'cmd'
  | 'env'
  | 'cwd'
  | 'user'
  | 'terminal'
  | 'openStdin'
  | 'memoryBytes'
  | 'nanoCpus'
  | 'limits'
  | 'security'
  | 'size'
> &
  Partial<
    Pick<
      BoxDefinition,
      | 'init'
      | 'volumes'
      | 'binds'
      | 'volumeMounts'
      | 'imageMounts'
      | 'tmpfs'
      | 'shmBytes'
      | 'readonlyRootfs'
      | 'egressSecrets'
    >
  >;

/** The box spec, from the record and from what the host found for it. */
export function specDocument(
  definition: Described,
  found: Pick<BoxSpec['rootfs'], 'layers' | 'changes'> &
    Pick<BoxSpec, 'mounts' | 'network'> &
    Partial<Pick<BoxSpec, 'hosts'>>,
): BoxSpec {
  return {
    schema: BOX_SPEC_SCHEMA,
    hostname: definition.hostname,
    rootfs: {
      layers: found.layers,
      changes: found.changes,
      readonly: definition.readonlyRootfs === true,
    },
    process: mainProcess(definition),
    mounts: found.mounts,
    network: found.network,
    ...(found.hosts === undefined ? {} : { hosts: found.hosts }),
    confinement: confinementOf(definition.security),
    ...kernelOf(definition.security),
    resources: resourcesOf(definition),
    ...(definition.init === true ? { init: true } : {}),
    ...volumeDirectories(definition),
    ...memoryMounts(definition),
    ...authoritiesOf(definition),
  };
}

/** Domain and settings of the kernel, where there are any. */
function kernelOf({ domainname, sysctls }: Described['security']) {
  const settings = sysctlsOf(sysctls, domainname);
  return {
    ...(domainname === '' ? {} : { domainname }),
    ...(settings.length === 0 ? {} : { sysctls: [...settings] }),
  };
}

/** The main process of the box. */
export function mainProcess(
  definition: Omit<Described, 'memoryBytes' | 'nanoCpus' | 'limits' | 'security'>,
): BoxSpec['process'] {
  return {
    args: commandOf(definition),
    env: processEnvironment(definition.hostname, definition.terminal, variablesOf(definition)),
    cwd: directoryOf(definition),
    user: definition.user,
    terminal: definition.terminal,
    ...(definition.size === undefined ? {} : { size: definition.size }),
    stdin: definition.openStdin,
  };
}
