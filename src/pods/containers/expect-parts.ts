/**
 * Checks that images have the parts of them that a container mounts.
 *
 * Other runtimes mount an image when the container is created, and so refuse it then. Here it is
 * mounted by the guest, at the start.
 *
 * @module
 */
import type { ImageMount } from '../../boxes/record/box.ts';
import { pinnedImage } from '../../boxes/record/pinned-image.ts';
import { A3sError } from '../../errors.ts';
import type { PodHost } from '../pod-host.ts';

/** @throws A3sError `invalid-argument`; `no-such-image` and `image-untrusted` as at a start */
export async function expectParts(
  rt: Pick<PodHost, 'images'>,
  mounts: readonly ImageMount[],
): Promise<void> {
  for (const { image: pinned, subpath } of mounts) {
    if (subpath === undefined) continue;
    const kind = await rt.images.kindOf(await pinnedImage(rt, { image: pinned }), subpath);
    if (kind === 'directory' || kind === 'file') continue;
    const found = kind === undefined ? 'it has nothing there' : `it has a ${kind} there`;
    throw new A3sError(
      'invalid-argument',
      `Cannot mount ${subpath} of the image ${pinned.reference}: ${found}`,
      { remedy: 'Name a directory or a file of the image.' },
    );
  }
}
