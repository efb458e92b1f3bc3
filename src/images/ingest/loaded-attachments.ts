/**
 * Adds an archive's attachments to those in the store: an archive without signatures removes none.
 *
 * @module
 */

import type { Digest } from '../../oci/digest.ts';
import type { ArchivedAttachment, ImagePlan } from '../archive/image-plan.ts';
import { checkBounds } from '../attachments/attachments.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { StagedAttachments } from '../commit.ts';
import { MAX_ATTACHMENTS } from '../limits.ts';

/** Undefined where the archive has nothing beside its images. @throws A3sError `too-large` */
export function loadedAttachments(
  images: readonly ImagePlan[],
  catalog: Pick<Catalog, 'attachmentsOf'>,
): StagedAttachments | undefined {
  const bySubject = new Map<Digest, Map<Digest, ArchivedAttachment>>();
  for (const { attachments = [] } of images) {
    checkBounds(
      attachments.length,
      attachments.flatMap(({ files }) => files.map(({ size }) => size)),
    );
    for (const attachment of attachments) {
      const { subject, digest } = attachment.record;
      const known = bySubject.get(subject) ?? new Map<Digest, ArchivedAttachment>();
      bySubject.set(subject, known.set(digest, attachment));
    }
  }
  if (bySubject.size === 0) return undefined;
  const records = [...bySubject].flatMap(([subject, brought]) => {
    const there = catalog.attachmentsOf(subject);
    const kept = there.filter(({ digest }) => !brought.has(digest));
    const fresh = [...brought.values()].map(({ record }) => {
      // An archive that lacks a payload must not remove the stored one.
      const known = there.find(({ digest }) => digest === record.digest);
      return known !== undefined && known.blobs.length > record.blobs.length ? known : record;
    });
    // Keeps the new attachments where both together exceed the bound: an image over the bound could
    // not be read.
    return kept.length + fresh.length > MAX_ATTACHMENTS ? fresh : [...kept, ...fresh];
  });
  const files = [...bySubject.values()].flatMap((brought) =>
    [...brought.values()].flatMap((attachment) => attachment.files),
  );
  return { subjects: [...bySubject.keys()], records, files };
}
