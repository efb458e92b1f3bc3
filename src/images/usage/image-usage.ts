/**
 * What the images take on disk.
 *
 * @module
 */
import type { StoreParts } from '../store-parts.ts';
import { blobParts, diskParts } from './image-parts.ts';
import { type ImageUsage, type Parts, shareOut } from './shares.ts';

/**
 * With blobs and disks, as they are allocated: what removing an image gives back is its size less
 * what it shares.
 */
export async function imageUsage({ catalog, disks }: StoreParts): Promise<ImageUsage> {
  // An image may have manifests whose layers are compressed in different ways; all of them are its
  // own.
  const all = new Map<string, Map<string, number>>();
  for (const record of catalog.manifests()) {
    const parts = all.get(record.id) ?? new Map<string, number>();
    for (const [key, size] of await diskParts(record, disks)) parts.set(key, size);
    all.set(record.id, parts);
  }
  return share(all);
}

/** Of blobs alone, counted as `Image.size` counts, without reading the disk. */
export function imageShares({ catalog }: StoreParts): ImageUsage {
  return share(new Map(catalog.all().map((record) => [record.id, blobParts(record)])));
}

function share(all: ReadonlyMap<string, Parts>): ImageUsage {
  const { each, total } = shareOut([...all.values()]);
  const images = [...all.keys()].map(
    (id, index) => [id, each[index] ?? { size: 0, shared: 0 }] as const,
  );
  return { images: new Map(images), total };
}
