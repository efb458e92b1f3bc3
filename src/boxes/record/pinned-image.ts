/**
 * The image of a box, the same for all its runs.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Image, ImageStore } from '../../images/image.ts';
import type { BoxDefinition } from './box.ts';

/**
 * Finds the image by what the box's record pins. The id is the digest of the configuration, which
 * names the content of every layer. Signatures are for the manifest.
 *
 * @throws A3sError `no-such-image`; `image-untrusted` when the store has another image under that
 * manifest digest: signatures for one image would let another boot
 */
export async function pinnedImage(
  rt: { readonly images: ImageStore },
  definition: { readonly image: Omit<BoxDefinition['image'], 'names'> },
): Promise<Image> {
  const { id, manifestDigest, reference } = definition.image;
  const image = await rt.images.resolve(manifestDigest);
  if (image.id === id && image.manifestDigest === manifestDigest) return image;
  throw new A3sError(
    'image-untrusted',
    `Cannot use ${reference}: the box is for image ${id} by manifest ${manifestDigest}, and the store has ${image.id} by ${image.manifestDigest}`,
    { remedy: 'Pull or load the image again, or create the box again.' },
  );
}
