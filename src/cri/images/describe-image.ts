/**
 * An image as CRI describes it.
 *
 * @module
 */
import { heldImages } from '../../boxes/record/mounted-images.ts';
import type { Image } from '../../images/image.ts';
import { canonicalName, parseReference } from '../../oci/reference.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import type { CriHost } from '../host.ts';

/** A function that describes images by what boxes and pods hold now. */
export function describeBy(
  rt: Pick<CriHost, 'store' | 'pods'>,
): (image: Image) => Answer<cri.Image> {
  const held = heldImages(rt);
  return (image) => ({
    id: image.id,
    repoTags: image.tags.map(canonical),
    repoDigests: image.repoDigests.map(canonical),
    size: BigInt(image.size),
    ...user(image.config.user),
    // Kubelet counts an image as unused that no pod has: it would try to remove it again and again.
    pinned: held.has(image.id),
  });
}

/** Kubelet compares names in full. */
function canonical(name: string): string {
  return canonicalName(parseReference(name));
}

/** Of `USER[:GROUP]`; both are left out where the image names no user, which is root then. */
function user(text: string): Pick<Answer<cri.Image>, 'uid' | 'username'> {
  const [name = ''] = text.split(':');
  if (!/^\d{1,10}$/.test(name)) return { username: name };
  return { uid: { value: BigInt(name) } };
}
