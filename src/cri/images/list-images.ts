/**
 * `ListImages` and `StreamImages`.
 *
 * @module
 */
import type { Image } from '../../images/image.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import type { CriHost } from '../host.ts';
import { describeBy } from './describe-image.ts';
import { findImage, imageName } from './image-spec.ts';

type Host = Pick<CriHost, 'store' | 'pods' | 'images'>;

/**
 * Of one message of a stream; kubelet takes 16 MiB at most, and an image has some hundred bytes.
 */
const AT_ONCE = 256;

export async function listImages(
  rt: Host,
  request: cri.ListImagesRequest,
): Promise<Answer<cri.ListImagesResponse>> {
  const images = await wanted(rt, request.filter);
  return { images: images.map(describeBy(rt)) };
}

export async function* streamImages(
  rt: Host,
  request: cri.StreamImagesRequest,
): AsyncGenerator<Answer<cri.StreamImagesResponse>> {
  const images = (await wanted(rt, request.filter)).map(describeBy(rt));
  for (let from = 0; from < images.length; from += AT_ONCE) {
    yield { images: images.slice(from, from + AT_ONCE) };
  }
}

/** All images, or the one that the filter names. */
async function wanted(rt: Host, filter: cri.ImageFilter | undefined): Promise<readonly Image[]> {
  if (filter?.image === undefined || filter.image.image === '') return await rt.images.list();
  const found = await findImage(rt.images, imageName(filter.image));
  return found === undefined ? [] : [found];
}
