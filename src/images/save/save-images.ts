/**
 * `save`: images as one archive that other engines load.
 *
 * @module
 */
import type { Digest } from '../../oci/digest.ts';
import { noSuchImage } from '../catalog/resolve.ts';
import type { StoreParts } from '../store-parts.ts';
import { lockAndSweep } from '../sweep.ts';
import { blobsOf, planSaved } from './plan-saved.ts';
import type { SavedBlob, SavedImage } from './saved-image.ts';
import { wantedImages } from './wanted-images.ts';
import { checkBlobs, writeArchive } from './write-archive.ts';

/**
 * Documents are checked and files are looked for before this returns; content is checked while it
 * is read.
 *
 * @returns the archive, always the same bytes for the same images, names and attachments; to be
 * read once
 * @throws A3sError `no-such-image`, `invalid-image` for a store that is damaged; reading throws it
 * too
 */
export async function saveImages(
  parts: StoreParts,
  references: readonly string[],
): Promise<AsyncIterable<Uint8Array>> {
  const { catalog, limits, blobPins } = parts;
  const wanted = wantedImages(references, catalog, limits);
  const needed = wanted.flatMap((image) => blobsOf(image, catalog));
  const images = await blobPins.hold(needed, async () => {
    const planned: SavedImage[] = [];
    for (const image of wanted) planned.push(await planSaved(image, parts));
    await checkBlobs(planned, pathIn(parts));
    return planned;
  });
  return streamArchive(parts, images, needed);
}

/** An archive that is never read holds no pins. */
async function* streamArchive(
  parts: StoreParts,
  images: readonly SavedImage[],
  needed: readonly Digest[],
): AsyncGenerator<Uint8Array> {
  const { catalog, blobPins } = parts;
  const gone = () =>
    images.find(({ manifest }) => catalog.byManifest(manifest.digest) === undefined);
  const removed = gone();
  if (removed !== undefined) throw noSuchImage(removed.config.digest);
  const release = blobPins.take(needed);
  try {
    yield* writeArchive(images, pathIn(parts));
  } finally {
    release();
    // The sweep deletes what was removed while the pins held it.
    if (gone() !== undefined) await lockAndSweep(parts);
  }
}

function pathIn({ blobs }: StoreParts): (blob: SavedBlob) => string {
  return ({ digest }) => blobs.path(digest);
}
