/**
 * The images that a box mounts, at its start: disks of their layers, and mounts of the guest's.
 *
 * @module
 */
import type { BoxSpec } from '@a3s-box/policies';
import type { Disk } from '../../engine/vm/devices.ts';
import type { ImageMount } from '../record/box.ts';
import { pinnedImage } from '../record/pinned-image.ts';
import type { Services } from '../services/services.ts';

export interface MountedImages {
  readonly disks: readonly Disk[];
  readonly mounts: BoxSpec['mounts'];
}

/**
 * The disks of an image are there once, however often it is mounted.
 *
 * @param serials what the serials of the disks begin with
 * @throws A3sError `no-such-image`, `image-untrusted`
 */
export async function mountImages(
  { images }: Pick<Services, 'images'>,
  imageMounts: readonly ImageMount[],
  serials = 'image-',
): Promise<MountedImages> {
  const layersOf = new Map<string, readonly Disk[]>();
  const mounts: BoxSpec['mounts'] = [];
  for (const { image: pinned, destination, subpath } of imageMounts) {
    let layers = layersOf.get(pinned.id);
    if (layers === undefined) {
      const opened = await images.bootLayers(await pinnedImage({ images }, { image: pinned }));
      const number = layersOf.size;
      layers = opened.map(({ path }, index) => ({
        ...{ path, serial: `${serials}${number}-${index}`, readonly: true },
      }));
      layersOf.set(pinned.id, layers);
    }
    mounts.push({
      ...{ kind: 'image', layers: layers.map(({ serial }) => ({ serial })) },
      ...{ destination, readonly: true },
      ...(subpath === undefined ? {} : { subpath }),
    });
  }
  return { disks: [...layersOf.values()].flat(), mounts };
}
