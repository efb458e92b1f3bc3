/**
 * What the store has beside an image, as far as a decision looks at it.
 *
 * Any number of indexes may list an image, one more with each pull, and each index may have as many
 * attachments as one image may have. All of them at once do not fit in memory.
 *
 * @module
 */
import type { Attachment } from '../../images/attachments/attachment.ts';
import type { Image, ImageStore } from '../../images/image.ts';

/**
 * The limits of a decision. With one attachment more, the decision says that there were too many.
 */
const MAX_ATTACHMENTS = 64;
const MAX_BYTES = 64 * 1024 * 1024;

/**
 * In the order in which a decision looks at them: the image's own first.
 *
 * @throws A3sError `invalid-image` where one is not what was stored
 */
export async function storedAttachments(
  images: Pick<ImageStore, 'attachments'>,
  { manifestDigest, indexDigests }: Pick<Image, 'manifestDigest' | 'indexDigests'>,
): Promise<readonly Attachment[]> {
  const found: Attachment[] = [];
  let bytes = 0;
  for (const subject of [manifestDigest, ...[...indexDigests].sort()]) {
    if (found.length > MAX_ATTACHMENTS || bytes > MAX_BYTES) break;
    for (const attachment of await images.attachments([subject])) {
      found.push(attachment);
      for (const { length } of attachment.blobs.values()) bytes += length;
    }
  }
  return found;
}
