import { describe, expect, it } from 'vitest';
import type { Attachment } from '../../images/attachments/attachment.ts';
import type { Digest } from '../../oci/digest.ts';
import { storedAttachments } from './stored-attachments.ts';

const digestOf = (n: number): Digest => `sha256:${n.toString(16).padStart(64, '0')}`;
const MANIFEST = digestOf(0xff);

/** A store with `count` attachments for each digest, each with one blob. */
function store(count: number, blob = Buffer.alloc(1)) {
  const asked: Digest[] = [];
  return {
    asked,
    attachments: async (subjects: readonly Digest[]): Promise<readonly Attachment[]> => {
      asked.push(...subjects);
      return subjects.flatMap((subject) =>
        Array.from({ length: count }, (_, n) => ({
          subject,
          attachedBy: 'tag' as const,
          digest: digestOf(n),
          mediaType: 'application/vnd.oci.image.manifest.v1+json',
          manifest: Buffer.from('{}'),
          blobs: new Map([[digestOf(n), blob]]),
        })),
      );
    },
  };
}

const image = { manifestDigest: MANIFEST, indexDigests: [digestOf(3), digestOf(2), digestOf(1)] };

describe('stored attachments', () => {
  it("reads the image's own attachments first, and then those of its indexes", async () => {
    const images = store(1);
    const found = await storedAttachments(images, image);
    expect(found.map(({ subject }) => subject)).toEqual([MANIFEST, ...[1, 2, 3].map(digestOf)]);
  });

  it('stops reading attachments at the limits of a decision, whatever the number of indexes', async () => {
    const many = store(33);
    expect(await storedAttachments(many, image)).toHaveLength(66);
    expect(many.asked).toEqual([MANIFEST, digestOf(1)]);
    const large = store(2, Buffer.alloc(20 * 1024 * 1024));
    expect(await storedAttachments(large, image)).toHaveLength(4);
    expect(large.asked).toEqual([MANIFEST, digestOf(1)]);
  });
});
