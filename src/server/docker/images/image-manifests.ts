/**
 * The manifests of an image, as Docker 27 and later list them.
 *
 * @module
 */
import type { Runtime } from '../../../boxes/runtime.ts';
import type { ImageSummary } from '../../../docker-api/images/image.ts';
import type { Image } from '../../../images/image.ts';

/** @param disk bytes that the image takes on this disk, with its layers' disks */
export function imageManifests(
  rt: Pick<Runtime, 'store'>,
  image: Image,
  disk: number,
): NonNullable<ImageSummary['Manifests']> {
  const holders = rt.store.list().filter(({ definition }) => definition.image.id === image.id);
  return [
    {
      ID: image.manifestDigest,
      Descriptor: { digest: image.manifestDigest },
      Available: true,
      Kind: 'image',
      Size: { Content: image.size, Total: disk },
      ImageData: {
        Platform: { os: image.os, architecture: image.architecture },
        Containers: holders.map(({ definition }) => definition.id),
        Size: { Unpacked: Math.max(disk - image.size, 0) },
      },
    },
  ];
}
