/**
 * The mounts of a box in `HostConfig` of its inspection, as they were asked for.
 *
 * @module
 */
import type { Bind, Box } from '../../../../boxes/record/box.ts';
import type { HostConfigShown } from '../../../../docker-api/containers/container.ts';
import { bindText } from './show.ts';

type HostConfig = HostConfigShown;
type Mount = NonNullable<HostConfig['Mounts']>[number];
type Asked = Box['definition']['tmpfs'][number]['asked'];

/** What was asked for by `-v`. */
export function shortMounts({ binds, volumeMounts }: Box['definition']): string[] {
  const volumes = volumeMounts.filter(({ form }) => form === 'bind');
  return [
    ...binds.filter(({ long, inherited }) => long === undefined && !inherited).map(bindText),
    ...volumes.map(({ name, destination, mode }) =>
      [name, destination, ...(mode === 'z' ? [] : [mode])].join(':'),
    ),
  ];
}

function bindOptions({ createMountpoint, below }: NonNullable<Bind['long']>) {
  const options = {
    ...(createMountpoint ? { CreateMountpoint: true as const } : {}),
    ...(below === 'disabled' ? { NonRecursive: true as const } : {}),
    ...(below === 'writable' ? { ReadOnlyNonRecursive: true as const } : {}),
  };
  return Object.keys(options).length === 0 ? {} : { BindOptions: options };
}

/** What was asked for by `--mount`. */
export function longMounts({
  binds,
  volumeMounts,
  imageMounts,
  tmpfs,
}: Box['definition']): NonNullable<HostConfig['Mounts']> {
  const access = (readonly: boolean) => (readonly ? { ReadOnly: true as const } : {});
  return [
    ...binds.flatMap(({ source, destination, readonly, long, inherited }) =>
      long === undefined || inherited
        ? []
        : {
            ...{ Type: 'bind' as const, Source: source, Target: destination, ...access(readonly) },
            ...bindOptions(long),
          },
    ),
    ...volumeMounts
      .filter(({ form }) => form === 'long')
      .map(({ name, destination, readonly, noCopy, subpath }) => {
        const options = {
          ...(noCopy ? { NoCopy: true as const } : {}),
          ...(subpath === undefined ? {} : { Subpath: subpath }),
        };
        return {
          ...{ Type: 'volume' as const, Source: name, Target: destination, ...access(readonly) },
          ...(Object.keys(options).length === 0 ? {} : { VolumeOptions: options }),
        };
      }),
    ...imageMounts.map(({ image, destination, subpath }) => ({
      ...{ Type: 'image' as const, Source: image.reference, Target: destination },
      ...(subpath === undefined ? {} : { ImageOptions: { Subpath: subpath } }),
    })),
    ...tmpfs.flatMap(({ destination, readonly, asked }) =>
      asked.form === 'short'
        ? []
        : {
            ...{ Type: 'tmpfs' as const, Target: destination, ...access(readonly) },
            ...tmpfsOptions(asked),
          },
    ),
  ];
}

function tmpfsOptions(asked: Extract<Asked, { form: 'long' }>): Pick<Mount, 'TmpfsOptions'> {
  const { sizeBytes, mode, options } = asked;
  if (sizeBytes === 0 && mode === 0 && options.length === 0) return {};
  return {
    TmpfsOptions: {
      ...(sizeBytes === 0 ? {} : { SizeBytes: sizeBytes }),
      ...(mode === 0 ? {} : { Mode: mode }),
      ...(options.length === 0 ? {} : { Options: options }),
    },
  };
}

/** What was asked for by `--tmpfs`: the options by their path. */
export function shortTmpfs({ tmpfs }: Box['definition']): Pick<HostConfig, 'Tmpfs'> {
  const entries = tmpfs.flatMap(({ asked }) =>
    asked.form === 'short' ? [[asked.path, asked.options] as const] : [],
  );
  return entries.length === 0 ? {} : { Tmpfs: Object.fromEntries(entries) };
}
