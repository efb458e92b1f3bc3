/**
 * Images whose names and signatures change during a decision about them.
 *
 * @module
 */
import { A3sError } from '../../errors.ts';
import type { Attachment } from '../../images/attachments/attachment.ts';
import type { Image } from '../../images/image.ts';
import type { Digest } from '../../oci/digest.ts';
import { FakeImages, TEST_IMAGE } from './images.ts';
import { allow, deny, signedOnly } from './signed-images.ts';

/** Images whose names move, and signatures that come and go. */
export class MovingImages extends FakeImages {
  readonly images: Image[];
  stored: Attachment[] = [];

  constructor(...images: Image[]) {
    super(...images);
    this.images = images;
  }

  override async resolve(reference: string): Promise<Image> {
    const found = this.images.find(({ id, manifestDigest, tags }) =>
      [id, manifestDigest, ...tags].includes(reference),
    );
    if (found === undefined) throw new A3sError('no-such-image', `No such image: ${reference}`);
    return found;
  }

  override async attachments(subjects: readonly Digest[]): Promise<readonly Attachment[]> {
    return this.stored.filter(({ subject }) => subjects.includes(subject));
  }

  override async attach(subjects: readonly Digest[], attachments: readonly Attachment[]) {
    this.stored = [
      ...this.stored.filter(({ subject }) => !subjects.includes(subject)),
      ...attachments,
    ];
  }

  change(id: string, change: Partial<Image>): void {
    const index = this.images.findIndex((image) => image.id === id);
    const image = this.images[index];
    if (image !== undefined) this.images[index] = { ...image, ...change };
  }
}

export const APP: Image = { ...TEST_IMAGE, tags: ['team.example/app:1'] };
export const OTHER: Image = {
  ...TEST_IMAGE,
  id: `sha256:${'4'.repeat(64)}`,
  manifestDigest: `sha256:${'5'.repeat(64)}`,
  tags: ['other.example/app:1'],
};
export const RULES = [signedOnly('team.example/**'), deny('bad.example/**'), allow('**')];
