/**
 * `ImageStatus`.
 *
 * @module
 */
import type { Image } from '../../images/image.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import type { CriHost } from '../host.ts';
import { describeBy } from './describe-image.ts';
import { findImage, imageName } from './image-spec.ts';

/** Without an image where there is none: that is no error. */
export async function imageStatus(
  rt: Pick<CriHost, 'store' | 'pods' | 'images'>,
  { image: spec, verbose }: cri.ImageStatusRequest,
): Promise<Answer<cri.ImageStatusResponse>> {
  const image = await findImage(rt.images, imageName(spec));
  if (image === undefined) return {};
  return {
    image: describeBy(rt)(image),
    info: verbose ? { info: JSON.stringify(details(image)) } : {},
  };
}

/** For people: what `inspect` shows and the fields of CRI do not. */
function details(image: Image): object {
  const { manifestDigest, indexDigests, origins, architecture, os, created, author } = image;
  const { config, diffIds } = image;
  return {
    ...{ manifestDigest, indexDigests, origins },
    imageSpec: { architecture, os, created, author, config, layers: diffIds },
  };
}
