/**
 * The images that a box mounts. An image policy decides about each of them as about the box's
 * own: programs of it may run in the box.
 *
 * @module
 */
import type { ImageMount } from '../record/box.ts';
import { pinnedImage } from '../record/pinned-image.ts';
import { type AuthorizationHost, authorizeImage, type TrustOptions } from './authorize-image.ts';
import { namesUsed } from './trust-names.ts';

/** Another image that a new box is to mount. */
export interface ImageMountRequest extends Omit<ImageMount, 'image'> {
  readonly reference: string;
}

/**
 * Pins the images that the names mean now.
 *
 * @throws A3sError `no-such-image`, `image-untrusted`
 */
export async function pinImageMounts(
  rt: AuthorizationHost,
  requests: readonly ImageMountRequest[],
  options: TrustOptions = {},
): Promise<ImageMount[]> {
  const mounts: ImageMount[] = [];
  for (const { reference, ...place } of requests) {
    const image = await rt.images.resolve(reference);
    const names = [...namesUsed(reference, image)];
    await authorizeImage(rt, { image, reference, names, confidential: false }, options);
    const { id, manifestDigest } = image;
    mounts.push({ ...place, image: { reference, id, manifestDigest, names } });
  }
  return mounts;
}

/**
 * Decides again at a start, by what is on record.
 *
 * @throws A3sError `no-such-image`, `image-untrusted`
 */
export async function authorizeImageMounts(
  rt: AuthorizationHost,
  mounts: readonly ImageMount[],
  options: TrustOptions = {},
): Promise<void> {
  for (const { image: pinned } of mounts) {
    const image = await pinnedImage(rt, { image: pinned });
    const { reference, names } = pinned;
    await authorizeImage(rt, { image, reference, names, confidential: false }, options);
  }
}
