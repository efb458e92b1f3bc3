/**
 * The image that a request names.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Image, ImageStore } from '../../images/image.ts';
import type { ImageSpec } from '../api/messages.ts';

/**
 * The name, id or digest.
 *
 * @throws A3sError `invalid-argument`
 */
export function imageName(spec: ImageSpec | undefined): string {
  const { image = '', runtimeHandler = '' } = spec ?? {};
  if (image === '') {
    throw new A3sError('invalid-argument', 'Cannot tell which image is meant: its name is empty');
  }
  // One image boots alike whatever starts it; a handler would have to mean something.
  if (runtimeHandler !== '') {
    throw new A3sError(
      'invalid-argument',
      `Cannot use the image ${image} for the runtime handler ${runtimeHandler}: there is none`,
      { remedy: 'Leave the runtime handler of images out.' },
    );
  }
  return image;
}

/** Undefined where the store has no such image. @throws A3sError `invalid-reference`, `conflict` */
export async function findImage(
  images: Pick<ImageStore, 'resolve'>,
  name: string,
): Promise<Image | undefined> {
  try {
    return await images.resolve(name);
  } catch (error) {
    if (error instanceof A3sError && error.code === 'no-such-image') return undefined;
    throw error;
  }
}
