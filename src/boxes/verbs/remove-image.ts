/**
 * Removes an image that no box and no pod holds, and publishes what was removed.
 *
 * @module
 */
import type { RemovedImage } from '../../images/image.ts';
import { heldImages } from '../record/mounted-images.ts';
import type { Services } from '../services/services.ts';

/** @throws A3sError as `ImageStore.remove` */
export async function removeImage(
  rt: Pick<Services, 'store' | 'pods' | 'images' | 'events'>,
  name: string,
  { force }: { readonly force: boolean },
): Promise<RemovedImage> {
  const inUse = (id: string): boolean => heldImages(rt).has(id);
  const removed = await rt.images.remove(name, { force, inUse });
  for (const tag of removed.untagged) rt.events.publish('image', 'untag', tag, { name: tag });
  for (const id of removed.deleted) rt.events.publish('image', 'delete', id, { name: id });
  return removed;
}
