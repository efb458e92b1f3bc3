/**
 * `PullImage`.
 *
 * @module
 */
import { pullByPolicy } from '../../boxes/policy/pull-by-policy.ts';
import { parseReference, withDefaultTag } from '../../oci/reference.ts';
import type { Answer } from '../answer.ts';
import type * as cri from '../api/messages.ts';
import type { CriHost } from '../host.ts';
import { credentialsFor } from './credentials.ts';
import { imageName } from './image-spec.ts';

/** By the standing image policy. The answer has the image's id, which kubelet stores. */
export async function pullImage(
  rt: Pick<CriHost, 'images' | 'registry' | 'events' | 'trust' | 'shutdown'>,
  { image, auth }: cri.PullImageRequest,
  left: AbortSignal,
): Promise<Answer<cri.PullImageResponse>> {
  const reference = withDefaultTag(parseReference(imageName(image)));
  const credentials = credentialsFor(reference.domain, auth);
  const signal = AbortSignal.any([left, rt.shutdown]);
  const pulled = await pullByPolicy(rt, { reference, credentials, signal });
  return { imageRef: pulled.image.id };
}
