/**
 * `--volume`, `--mount`, `--tmpfs` and their like, as the fields of a create request. What is not
 * given is left out.
 *
 * @module
 */
import type { CreateBody, HostConfig } from '../../docker-api/containers/create.ts';
import type { Invocation } from '../command.ts';
import { parseMount } from '../values/mounts/mount.ts';
import { parseStorageOption, tmpfsByPath } from '../values/mounts/tmpfs.ts';
import { parseVolume } from '../values/mounts/volume.ts';
import { parseBytes } from '../values/size.ts';

interface MountRequest {
  readonly volumes: CreateBody['Volumes'];
  readonly host: Pick<
    HostConfig,
    | 'Binds'
    | 'Mounts'
    | 'Tmpfs'
    | 'ShmSize'
    | 'ReadonlyRootfs'
    | 'StorageOpt'
    | 'VolumeDriver'
    | 'VolumesFrom'
  >;
}

/** Docker's warnings go to stderr. @throws UsageError that names the flag */
export function mountRequest({ flags, context }: Invocation): MountRequest {
  const volumes = flags.parsedList('volume', (spec) => parseVolume(spec, context.cwd));
  const mounts = flags.parsedList('mount', (text) => parseMount(text, context.cwd));
  const driver = flags.string('volume-driver') ?? '';
  const from = flags.list('volumes-from');
  const memory = flags.list('tmpfs');
  const storage = flags.parsedList('storage-opt', parseStorageOption);
  const warnings = mounts.flatMap((each) => each.warnings);
  if (mounts.length > 0 && driver !== '') {
    warnings.push(
      '`--volume-driver` is ignored for volumes specified via `--mount`. Use `--mount type=volume,volume-driver=...` instead.',
    );
  }
  for (const warning of warnings) context.stderr.write(`WARNING: ${warning}\n`);
  const anonymous = volumes.flatMap((each) => (each.kind === 'anonymous' ? [each.path] : []));
  const binds = volumes.flatMap((each) => (each.kind === 'bind' ? [each.bind] : []));
  return {
    volumes:
      anonymous.length === 0 ? undefined : Object.fromEntries(anonymous.map((path) => [path, {}])),
    host: {
      Binds: [...new Set(binds)],
      Mounts: mounts.length === 0 ? undefined : mounts.map(({ mount }) => mount),
      Tmpfs: memory.length === 0 ? undefined : tmpfsByPath(memory),
      ShmSize: flags.parsed('shm-size', parseBytes),
      ReadonlyRootfs: flags.bool('read-only') || undefined,
      StorageOpt: storage.length === 0 ? undefined : Object.fromEntries(storage),
      VolumesFrom: from.length === 0 ? undefined : from,
      VolumeDriver: driver === '' ? undefined : driver,
    },
  };
}
