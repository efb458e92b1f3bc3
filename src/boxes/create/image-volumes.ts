/**
 * The volumes that an image declares (`VOLUME`): anonymous volumes of a new box, made where nothing
 * else is mounted, as Docker makes them.
 *
 * @module
 */
import { posix } from 'node:path';
import { A3sError } from '../../errors.ts';
import { DIRECTORY, type VolumeKind } from '../../volumes/volume.ts';
import { mountPoint } from '../spec/volumes.ts';
import { checkDestination } from './binds.ts';
import type { VolumeMountRequest } from './create-request.ts';

/**
 * Each is a device of the microVM. An image must not decide how many the host serves.
 */
const MAX_IMAGE_VOLUMES = 20;

/**
 * @param declared paths as the image has them; a relative one is below the root
 * @param mounted what else the box mounts: it takes the place of a volume
 * @param kind of the volumes
 * @throws A3sError `invalid-image` for a path at which no volume can be, and for too many volumes
 */
export function imageVolumes(
  declared: readonly string[],
  mounted: readonly { readonly destination: string }[],
  kind: VolumeKind,
): VolumeMountRequest[] {
  const taken = new Set(mounted.map(({ destination }) => destination));
  const paths = [...new Set(declared.map((path) => mountPoint(posix.join('/', path))))];
  const free = paths.filter((path) => !taken.has(path));
  for (const path of free) checkPath(path);
  if (free.length > MAX_IMAGE_VOLUMES) {
    throw new A3sError(
      'invalid-image',
      `Cannot use the image: it declares ${free.length} volumes, more than ${MAX_IMAGE_VOLUMES}`,
      { remedy: 'Build the image anew with fewer, or mount a tmpfs in the place of some.' },
    );
  }
  return free.map((path) => anonymousVolume(path, kind));
}

function checkPath(path: string): void {
  try {
    checkDestination(path);
  } catch (cause) {
    if (!(cause instanceof A3sError)) throw cause;
    throw new A3sError(
      'invalid-image',
      `Cannot use the image: its volume ${path.slice(0, 128)} cannot be mounted: ${cause.message}`,
      { cause, remedy: 'Build the image anew without that volume.' },
    );
  }
}

/** A volume that is asked for by its path in the box alone. */
export function anonymousVolume(destination: string, kind = DIRECTORY): VolumeMountRequest {
  const given = { readonly: false, noCopy: false, mode: '', labels: {}, kind };
  return { name: undefined, destination, form: 'path', ...given };
}
