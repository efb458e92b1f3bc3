/**
 * Gives an image's content to a caller that sends it on.
 *
 * @module
 */
import { createReadStream } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { corrupt } from '../../oci/corrupt.ts';
import { digestOf } from '../../oci/digest.ts';
import { parseIndex, parseManifest } from '../../oci/manifest.ts';
import { OCI_INDEX } from '../../oci/media-types.ts';
import { noSuchImage } from '../catalog/resolve.ts';
import type { Image, ImageContent } from '../image.ts';
import type { StoreParts } from '../store-parts.ts';
import { lockAndSweep } from '../sweep.ts';
import { readStoredDocument } from './stored-document.ts';

/** The blobs stay while `use` runs, even when the image is removed meanwhile. */
export async function withContent<T>(
  parts: StoreParts,
  image: Image,
  use: (content: ImageContent) => Promise<T>,
): Promise<T> {
  const { catalog, blobs, blobPins, lock, limits } = parts;
  const record = catalog.byManifest(image.manifestDigest);
  if (record === undefined) throw noSuchImage(image.id);
  const { digest, mediaType } = record.manifest;
  const layers = record.layers.map(({ blob }) => blob);
  const indexes = catalog.indexesOf(image.manifestDigest);
  const given = blobPins.hold([record.id, digest, ...layers, ...indexes], async () => {
    // A sweep that does not know of the pins may be under way.
    await lock.run(() => Promise.resolve());
    if (catalog.byManifest(digest) === undefined) throw noSuchImage(image.id);
    const what = `manifest ${digest}`;
    const bytes = await readFile(blobs.path(digest));
    if (digestOf(bytes) !== digest) {
      throw corrupt(what, 'it was changed on disk');
    }
    const manifest = parseManifest(bytes, what, limits);
    const listed = [manifest.config, ...manifest.layers];
    return await use({
      manifest: { digest, mediaType, bytes },
      blobs: [...new Map(listed.map((blob) => [blob.digest, blob])).values()].map((blob) => ({
        digest: blob.digest,
        size: blob.size,
        mediaType: blob.mediaType,
        open: (offset) =>
          createReadStream(blobs.path(blob.digest), { start: offset, highWaterMark: 256 * 1024 }),
      })),
      indexes: () =>
        Promise.all(
          indexes.map(async (index) => {
            const bytes = await readStoredDocument(index, parts);
            const { mediaType = OCI_INDEX } = parseIndex(bytes, `index ${index}`);
            return { digest: index, mediaType, bytes };
          }),
        ),
    });
  });
  return await given.finally(async () => {
    // The sweep deletes what was removed while the pins held it.
    if (catalog.byManifest(digest) === undefined) await lockAndSweep(parts);
  });
}
