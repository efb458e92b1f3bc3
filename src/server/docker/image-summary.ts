/**
 * An image in a list, as Docker shows it.
 *
 * @module
 */
import type { Runtime } from '../../boxes/runtime.ts';
import type { Image } from '../../images/image.ts';
import type { Document } from '../replies.ts';
import type { ImageSummary } from './image-schema.ts';

/** @param shared bytes that other images have too; -1 where nobody asked */
export function imageSummary(
  rt: Pick<Runtime, 'store'>,
  image: Image,
  shared = -1,
): Document<typeof ImageSummary> {
  const holders = rt.store.list().filter(({ definition }) => definition.image.id === image.id);
  return {
    Id: image.id,
    ParentId: '',
    RepoTags: image.tags,
    RepoDigests: image.repoDigests,
    Created: Math.floor(Date.parse(image.created) / 1000) || 0,
    Size: image.size,
    VirtualSize: image.size,
    SharedSize: shared,
    Labels: image.config.labels,
    Containers: holders.length,
  };
}
