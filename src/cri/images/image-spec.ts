/**
 * The image that a request names.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Image, ImageStore } from '../../images/image.ts';
import type { ImageSpec } from '../api/messages.ts';
import { expectHandler } from '../handlers.ts';

/**
 * The name, id or digest.
 *
 * @throws A3sError `invalid-argument`; `unsupported-option` for a handler of confidential pods
 */
export function imageName(spec: ImageSpec | undefined): string {
  const { image = '', runtimeHandler = '' } = spec ?? {};
  if (image === '') {
    throw new A3sError('invalid-argument', 'Cannot tell which image is meant: its name is empty');
  }
  // Kubelet names that of the pod's runtime class. One image boots alike in all of its pods.
  expectHandler('image.runtime_handler', runtimeHandler);
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
