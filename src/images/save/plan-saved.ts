/**
 * What an archive holds of one image: read from the store's documents, each checked against its
 * digest.
 *
 * @module
 */

import { type Digest, hexOf } from '../../oci/digest.ts';
import { parseIndex, parseManifest } from '../../oci/manifest.ts';
import { OCI_INDEX } from '../../oci/media-types.ts';
import { canonicalRepository, parseReference } from '../../oci/reference.ts';
import { artifactLayers } from '../attachments/artifact-layers.ts';
import type { AttachmentRecord } from '../catalog/catalog.ts';
import { readStoredDocument } from '../content/stored-document.ts';
import type { StoreParts } from '../store-parts.ts';
import type { SavedAttachment, SavedBlob, SavedImage, SavedName } from './saved-image.ts';
import type { WantedImage } from './wanted-images.ts';

/** Every blob that may go into the archive, by what the catalog says. */
export function blobsOf(
  { record }: WantedImage,
  catalog: StoreParts['catalog'],
): readonly Digest[] {
  const subjects = [record.manifest.digest, ...catalog.indexesOf(record.manifest.digest)];
  const attachments = subjects.flatMap((subject) => catalog.attachmentsOf(subject));
  return [
    ...subjects,
    record.id,
    ...record.layers.map(({ blob }) => blob),
    ...attachments.flatMap(({ digest, blobs }) => [digest, ...blobs.map((blob) => blob.digest)]),
  ];
}

/** @throws A3sError `invalid-image` for a document that is missing or was changed */
export async function planSaved(
  { record, names }: WantedImage,
  parts: StoreParts,
): Promise<SavedImage> {
  const { catalog, limits } = parts;
  const { manifest: descriptor } = record;
  const what = `manifest ${descriptor.digest}`;
  const bytes = await readStoredDocument(descriptor.digest, parts);
  const { config, layers } = parseManifest(bytes, what, limits);
  const indexes: SavedBlob[] = [];
  for (const digest of catalog.indexesOf(descriptor.digest)) {
    const index = await readStoredDocument(digest, parts);
    const { mediaType = OCI_INDEX } = parseIndex(index, `index ${digest}`);
    indexes.push({ mediaType, digest, size: index.length });
  }
  const attachments: SavedAttachment[] = [];
  for (const { digest } of [descriptor, ...indexes]) {
    for (const attached of catalog.attachmentsOf(digest)) {
      attachments.push(await planAttachment(attached, parts));
    }
  }
  return {
    manifest: descriptor,
    config: blobOf(config),
    layers: layers.map(blobOf),
    platform: { os: record.os, architecture: record.architecture },
    names: names.map((name) => ({ name, index: indexOf(name, record.id, indexes, catalog) })),
    indexes,
    attachments,
  };
}

/** The index that the name was pulled as; of an image that was not pulled, one that lists it. */
function indexOf(
  name: string,
  imageId: Digest,
  indexes: readonly SavedBlob[],
  catalog: StoreParts['catalog'],
): SavedName['index'] {
  const repository = canonicalRepository(parseReference(name));
  const repoDigests = catalog
    .repoDigestsOf(imageId)
    .filter((each) => each.repository === repository);
  if (repoDigests.length === 0) return indexes[0];
  return indexes.find(({ digest }) => repoDigests.some((each) => each.digest === digest));
}

async function planAttachment(
  { subject, digest, attachedBy, mediaType, size, blobs }: AttachmentRecord,
  parts: StoreParts,
): Promise<SavedAttachment> {
  const bytes = await readStoredDocument(digest, parts);
  return {
    manifest: { mediaType, digest, size },
    blobs: blobs.map((blob) => ({ mediaType: 'application/octet-stream', ...blob })),
    tag: attachedBy === 'tag' ? `sha256-${hexOf(subject)}.${suffixOf(bytes)}` : undefined,
  };
}

/** Cosign keeps attestations, which are envelopes, beside signatures under a tag of their own. */
function suffixOf(manifest: Buffer): 'sig' | 'att' {
  const layers = artifactLayers(manifest)?.layers ?? [];
  return layers.some(({ mediaType }) => mediaType.includes('dsse')) ? 'att' : 'sig';
}

function blobOf({ mediaType, digest, size }: SavedBlob): SavedBlob {
  return { mediaType, digest, size };
}
