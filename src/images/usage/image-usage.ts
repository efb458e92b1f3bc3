/**
 * What the images take on disk.
 *
 * @module
 */
import type { ImageRecord } from '../catalog.ts';
import type { StoreParts } from '../store-parts.ts';
import { blobParts, diskParts } from './image-parts.ts';
import { type ImageUsage, type Parts, shareOut } from './shares.ts';

/** With blobs and disks, as they are allocated: what removing an image gives back is its size less what it shares. */
export async function imageUsage(parts: StoreParts): Promise<ImageUsage> {
  const { catalog, disks } = parts;
  const records = catalog.all();
  // An image may have manifests whose layers are compressed in different ways; all of them are its own.
  const all = await Promise.all(
    records.map(async ({ id }) => {
      const manifests = catalog.manifests().filter((record) => record.id === id);
      return join(await Promise.all(manifests.map((record) => diskParts(record, disks))));
    }),
  );
  return share(records, all);
}

/** Of blobs alone, in the measure of `Image.size`: without a look at the disk. */
export function imageShares(parts: StoreParts): ImageUsage {
  const records = parts.catalog.all();
  return share(records, records.map(blobParts));
}

function share(records: readonly ImageRecord[], all: readonly Parts[]): ImageUsage {
  const { each, total } = shareOut(all);
  const images = records.map(
    ({ id }, index) => [id, each[index] ?? { size: 0, shared: 0 }] as const,
  );
  return { images: new Map(images), total };
}

function join(all: readonly Parts[]): Parts {
  return new Map(all.flatMap((parts) => [...parts]));
}
