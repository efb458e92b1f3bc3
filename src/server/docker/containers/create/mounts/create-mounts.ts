/**
 * Mounts of Docker's create document: in the short and the long form, by a path alone, and from
 * other boxes.
 *
 * @module
 */
import { posix } from 'node:path';
import type * as z from 'zod';
import type {
  CreateRequest,
  MountsFrom,
  VolumeMountRequest,
} from '../../../../../boxes/create/create-request.ts';
import { anonymousVolume } from '../../../../../boxes/create/image-volumes.ts';
import type { ImageMountRequest } from '../../../../../boxes/policy/image-mounts.ts';
import type { Bind } from '../../../../../boxes/record/box.ts';
import type { TmpfsMount } from '../../../../../boxes/record/tmpfs.ts';
import { mountPoint } from '../../../../../boxes/spec/volumes.ts';
import type { Config, HostConfig } from '../../../../../docker-api/containers/create.ts';
import type { Mount } from '../../../../../docker-api/containers/mount.ts';
import { A3sError } from '../../../../../errors.ts';
import { checkVolumeName } from '../../../../../volumes/volume.ts';
import { parseDriver } from '../../../volumes/driver.ts';
import { unsupported } from '../unsupported-options.ts';
import { isReadOnlyMode, parseBind, volumePath } from './create-binds.ts';
import { sealedOptions } from './create-sealed.ts';
import { longTmpfs, shortTmpfs } from './create-tmpfs.ts';

type Asked = Pick<
  CreateRequest,
  'binds' | 'volumeMounts' | 'imageMounts' | 'tmpfs' | 'mountsFrom' | 'volumeDriver' | 'volumes'
>;

/** @throws A3sError `invalid-argument`, `unsupported-option` by name */
export function parseMounts(
  host: Pick<
    z.output<typeof HostConfig>,
    'Binds' | 'Mounts' | 'Tmpfs' | 'VolumeDriver' | 'VolumesFrom'
  >,
  volumes: z.output<typeof Config>['Volumes'],
): Asked {
  const all = [
    ...host.Binds.map(parseBind),
    ...host.Mounts.map(parseMount),
    ...Object.entries(host.Tmpfs).map(([path, options]) => shortTmpfs(path, options)),
  ];
  const taken = new Set(all.map(({ destination }) => destination));
  const paths = Object.keys(volumes);
  const anonymous = [...new Set(paths.map(volumePath))].filter((path) => !taken.has(path));
  return {
    binds: all.filter((each) => 'source' in each),
    volumeMounts: [
      ...all.filter((each) => 'name' in each),
      ...anonymous.map((path) => anonymousVolume(path)),
    ],
    imageMounts: all.filter((each) => 'reference' in each),
    tmpfs: all.filter((each) => 'flags' in each),
    mountsFrom: host.VolumesFrom.map(parseMountsFrom),
    volumeDriver: host.VolumeDriver === '' ? undefined : host.VolumeDriver,
    volumes: paths,
  };
}

/** The first version of Docker's API that has parts of volumes. */
const SUBPATHS_SINCE = 45;

/**
 * @throws A3sError `invalid-argument` for a part of a volume, where the client's version has none
 */
export function checkSubpaths(
  { volumeMounts }: Pick<CreateRequest, 'volumeMounts'>,
  apiVersion: number,
): void {
  if (apiVersion >= SUBPATHS_SINCE) return;
  if (volumeMounts.every(({ subpath }) => subpath === undefined)) return;
  throw new A3sError('invalid-argument', 'VolumeOptions.Subpath needs API v1.45 or newer');
}

/** `box[:mode]`. What is not read-only is as the other box has it. */
function parseMountsFrom(text: string): MountsFrom {
  const [box = '', mode, ...more] = text.split(':');
  if (box === '' || more.length > 0) {
    throw new A3sError('invalid-argument', `malformed volumes-from: ${text.slice(0, 128)}`);
  }
  return { text, box, readonly: mode === undefined ? undefined : isReadOnlyMode(mode) };
}

function parseMount(
  mount: z.output<typeof Mount>,
): Bind | VolumeMountRequest | ImageMountRequest | TmpfsMount {
  const { Type: type, Target } = mount;
  const invalid = (why: string): A3sError =>
    new A3sError(
      'invalid-argument',
      `invalid mount config for type "${type.slice(0, 64)}": ${why}`,
    );
  if (Target === '') throw invalid('field Target must not be empty');
  const destination = mountPoint(Target);
  if (destination === '/') throw invalid("invalid specification: destination can't be '/'");
  if (!Target.startsWith('/')) {
    throw invalid(`invalid mount path: '${Target}' mount path must be absolute`);
  }
  if (mount.TmpfsOptions !== undefined && ['bind', 'volume', 'image'].includes(type)) {
    throw invalid('field TmpfsOptions must not be specified');
  }
  if (mount.ImageOptions !== undefined && type !== 'image') {
    throw invalid('field ImageOptions must not be specified');
  }
  switch (type) {
    case 'bind':
      return longBind(mount, destination, invalid);
    case 'volume':
      return longVolume(mount, destination, invalid);
    case 'tmpfs':
      for (const name of ['BindOptions', 'VolumeOptions'] as const) {
        if (mount[name] !== undefined) throw invalid(`field ${name} must not be specified`);
      }
      return longTmpfs(mount, destination, invalid);
    case 'image':
      return longImage(mount, destination, invalid);
    case 'npipe':
    case 'cluster':
      throw unsupported(
        'HostConfig.Mounts',
        `a mount of type ${type} is none of bind, volume, image and tmpfs`,
      );
    default:
      throw new A3sError('invalid-argument', `mount type unknown: "${type.slice(0, 64)}"`);
  }
}

type LongBind = NonNullable<Bind['long']>;

type Invalid = (why: string) => A3sError;

function longBind(mount: z.output<typeof Mount>, destination: string, invalid: Invalid): Bind {
  const { Source, ReadOnly, BindOptions, VolumeOptions } = mount;
  if (Source === '') throw invalid('field Source must not be empty');
  if (VolumeOptions !== undefined) throw invalid('field VolumeOptions must not be specified');
  if (!Source.startsWith('/')) {
    throw invalid(`invalid mount path: '${Source}' mount path must be absolute`);
  }
  const spread = BindOptions?.Propagation ?? '';
  if (!['', 'rprivate'].includes(spread)) {
    throw unsupported(
      'HostConfig.Mounts',
      `propagation ${spread}: mounts do not spread between a box and the host`,
    );
  }
  const createMountpoint = BindOptions?.CreateMountpoint === true;
  const source = posix.normalize(Source);
  const long = { createMountpoint, ...belowOf(BindOptions) };
  return { source, destination, readonly: ReadOnly, long };
}

function belowOf(options: z.output<typeof Mount>['BindOptions']): Pick<LongBind, 'below'> {
  if (options?.NonRecursive === true) return { below: 'disabled' };
  return options?.ReadOnlyNonRecursive === true ? { below: 'writable' } : {};
}

function longVolume(
  { Source, ReadOnly, BindOptions, VolumeOptions }: z.output<typeof Mount>,
  destination: string,
  invalid: Invalid,
): VolumeMountRequest {
  if (BindOptions !== undefined) throw invalid('field BindOptions must not be specified');
  const { NoCopy = false, Labels = {}, DriverConfig, Subpath = '' } = VolumeOptions ?? {};
  if (Subpath !== '' && Source === '') {
    throw invalid('must not set Subpath when using anonymous volumes');
  }
  if (ReadOnly && Source === '') {
    throw invalid('must not set ReadOnly mode when using anonymous volumes');
  }
  const subpath = subpathOf(Subpath, 'volume', invalid);
  const { sealed, rest } = sealedOptions(DriverConfig?.Options ?? {});
  if (sealed !== undefined && NoCopy) throw invalid('field NoCopy does not fit a sealed volume');
  const kind = parseDriver(DriverConfig?.Name ?? '', rest);
  const name = Source === '' ? undefined : checkVolumeName(Source);
  const given = { readonly: ReadOnly, noCopy: NoCopy, mode: 'z', labels: Labels };
  return {
    ...{ name, destination, form: 'long', kind, ...given },
    ...(subpath === undefined ? {} : { subpath }),
    ...(sealed === undefined ? {} : { sealed }),
  };
}

/** Docker mounts images from v1.48 of its API on; here every version may. */
function longImage(
  { Source, BindOptions, VolumeOptions, ImageOptions }: z.output<typeof Mount>,
  destination: string,
  invalid: Invalid,
): ImageMountRequest {
  if (Source === '') throw invalid('field Source must not be empty');
  if (BindOptions !== undefined) throw invalid('field BindOptions must not be specified');
  if (VolumeOptions !== undefined) throw invalid('field VolumeOptions must not be specified');
  const subpath = subpathOf(ImageOptions?.Subpath ?? '', 'image', invalid);
  return { reference: Source, destination, ...(subpath === undefined ? {} : { subpath }) };
}

/** The part that is mounted; undefined: all of it. Each start finds out where it leads. */
function subpathOf(path: string, of: string, invalid: Invalid): string | undefined {
  if (path === '') return undefined;
  const clean = posix.normalize(path).replace(/\/$/, '');
  if (clean.startsWith('/') || clean === '..' || clean.startsWith('../')) {
    throw invalid(`subpath must be a relative path within the ${of}`);
  }
  return clean === '.' ? undefined : clean;
}
