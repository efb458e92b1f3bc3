/**
 * `RemoveImage`.
 *
 * @module
 */
import { removeImage as removeFromStore } from '../../boxes/verbs/remove-image.ts';
import { A3sError } from '../../errors.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import type { CriHost } from '../host.ts';
import { findImage, imageName } from './image-spec.ts';

/**
 * With all of its names, whichever of them was given. An image that is gone is no error.
 *
 * @throws A3sError `image-in-use` where a box or a pod holds it
 */
export async function removeImage(
  rt: Pick<CriHost, 'store' | 'pods' | 'images' | 'events'>,
  { image: spec }: cri.RemoveImageRequest,
): Promise<Answer<cri.RemoveImageResponse>> {
  const image = await findImage(rt.images, imageName(spec));
  if (image === undefined) return {};
  try {
    await removeFromStore(rt, image.id, { force: true });
  } catch (error) {
    // Another call was faster.
    if (!(error instanceof A3sError && error.code === 'no-such-image')) throw error;
  }
  return {};
}
