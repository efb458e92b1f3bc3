/**
 * What an archive brings beside its images goes to what is there already: an archive without signatures takes none away.
 *
 * @module
 */

import type { Digest } from '../../oci/digest.ts';
import type { ArchivedAttachment, ImagePlan } from '../archive/image-plan.ts';
import type { Catalog } from '../catalog/catalog.ts';
import type { StagedAttachments } from '../commit.ts';
import { MAX_ATTACHMENTS } from '../limits.ts';
import { checkBounds } from './attachments.ts';

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
      // An archive that lacks a payload must not take it away.
      const known = there.find(({ digest }) => digest === record.digest);
      return known !== undefined && known.blobs.length > record.blobs.length ? known : record;
    });
    // Rather what just came than what would make both of no use.
    return kept.length + fresh.length > MAX_ATTACHMENTS ? fresh : [...kept, ...fresh];
  });
  const files = [...bySubject.values()].flatMap((brought) =>
    [...brought.values()].flatMap((attachment) => attachment.files),
  );
  return { subjects: [...bySubject.keys()], records, files };
}
