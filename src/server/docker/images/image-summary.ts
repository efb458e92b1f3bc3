/**
 * An image in a list, as Docker shows it.
 *
 * @module
 */
import type { Runtime } from '../../../boxes/runtime.ts';
import type { ImageSummary } from '../../../docker-api/images/image.ts';
import type { Image } from '../../../images/image.ts';

interface ShownSizes {
  readonly apiVersion: number;
  readonly size?: number;
  readonly shared?: number | undefined;
}

/** From this version on `VirtualSize`, which repeats `Size`, is left out. */
const NO_VIRTUAL_SIZE_SINCE = 44;

export function sizeFields(size: number, apiVersion: number) {
  return { Size: size, ...(apiVersion < NO_VIRTUAL_SIZE_SINCE && { VirtualSize: size }) };
}

/** @param given.shared bytes that other images share; -1 where nobody asked */
export function imageSummary(
  rt: Pick<Runtime, 'store'>,
  image: Image,
  { apiVersion, size = image.size, shared = -1 }: ShownSizes,
): ImageSummary {
  const holders = rt.store.list().filter(({ definition }) => definition.image.id === image.id);
  return {
    Id: image.id,
    ParentId: parentOf(image),
    RepoTags: image.tags,
    RepoDigests: image.repoDigests,
    Created: Math.floor(Date.parse(image.created) / 1000) || 0,
    ...sizeFields(size, apiVersion),
    SharedSize: shared,
    Labels: image.config.labels,
    Containers: holders.length,
  };
}

/**
 * Id of the image that this one was made of here; empty for images from elsewhere, as in Docker.
 */
export function parentOf({ origins }: Image): string {
  return origins.find(({ parent }) => parent !== undefined)?.parent ?? '';
}
