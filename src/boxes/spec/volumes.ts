/**
 * Declared volumes that have no volume of their own: ordinary directories of the box, kept with its
 * changes, unless something is mounted there. They exist even where no layer of the image has them,
 * as with Docker.
 *
 * @module
 */
import { posix } from 'node:path';
import type { BoxSpec, LaunchSpec } from '@a3s-box/policies';
import { A3sError } from '../../errors.ts';
import type { BoxDefinition } from '../record/box.ts';

/** The agent's limits for them. */
const MAX_VOLUMES = 256;
const MAX_PATH = 4096;

/** A path as mount points are compared: without `.`, `..` and a slash at its end. */
export function mountPoint(path: string): string {
  return posix.normalize(path).replace(/(.)\/$/, '$1');
}

/** @throws A3sError `invalid-image` for a volume whose path cannot be a directory */
export function checkVolumes(volumes: readonly string[]): void {
  if (volumes.length > MAX_VOLUMES) {
    throw new A3sError(
      'invalid-image',
      `Cannot use the image: it has ${volumes.length} volumes, more than ${MAX_VOLUMES}`,
    );
  }
  const odd = volumes.find((path) => !canBeMade(path));
  if (odd === undefined) return;
  throw new A3sError(
    'invalid-image',
    `Cannot use the image: its volume ${JSON.stringify(odd.slice(0, 128))} is no path`,
    { remedy: 'Build the image anew without it.' },
  );
}

/** The directories that the agent makes of volumes. A mount makes its own. */
export function volumeDirectories({
  volumes = [],
  binds = [],
  volumeMounts = [],
  imageMounts = [],
  tmpfs = [],
}: Partial<
  Pick<BoxDefinition, 'volumes' | 'binds' | 'volumeMounts' | 'imageMounts' | 'tmpfs'>
>): Pick<BoxSpec, 'directories'> {
  const mounted = new Set(
    [...binds, ...volumeMounts, ...imageMounts, ...tmpfs].map(({ destination }) => destination),
  );
  // Records of earlier versions may have any volumes.
  const paths = volumes.filter(canBeMade).map((path) => mountPoint(posix.join('/', path)));
  const directories = [...new Set(paths)]
    .filter((path) => !mounted.has(path))
    .slice(0, MAX_VOLUMES);
  return directories.length === 0 ? {} : { directories };
}

/**
 * The same in the text of a launch spec: sorted, and without the root.
 *
 * @param mounted what the launch spec has at a place of its own
 */
export function specifiedDirectories(
  volumes: readonly string[],
  mounted: readonly { readonly destination: string }[],
): Pick<LaunchSpec, 'directories'> {
  const taken = new Set(['/', ...mounted.map(({ destination }) => destination)]);
  const paths = volumeDirectories({ volumes: [...volumes] }).directories ?? [];
  const directories = paths.filter((path) => !taken.has(path)).sort();
  return directories.length === 0 ? {} : { directories };
}

function canBeMade(path: string): boolean {
  return path !== '' && path.length < MAX_PATH && !path.includes('\0');
}
