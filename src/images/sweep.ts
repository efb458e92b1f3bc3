/**
 * Deletes the files that no image and no running task needs, by the catalog.
 *
 * @module
 */
import { planDisks } from './disks.ts';
import type { StoreParts } from './store-parts.ts';

/** Takes the lock, then sweeps. */
export async function lockAndSweep(parts: StoreParts): Promise<void> {
  await parts.lock.run(() => sweep(parts));
}

/** The caller holds the lock. */
export async function sweep({
  blobs,
  disks,
  catalog,
  diskPins,
  blobPins,
}: StoreParts): Promise<void> {
  const records = catalog.manifests();
  await blobs.writeIndex(
    records.map(({ manifest }) => ({
      manifest,
      names: catalog.namesOfManifest(manifest.digest),
    })),
  );
  await blobs.sweep(
    new Set([
      ...records.flatMap(({ id, manifest, layers }) => [
        id,
        manifest.digest,
        ...layers.map(({ blob }) => blob),
      ]),
      ...catalog.indexes(),
      ...catalog
        .attachments()
        .flatMap((record) => [record.digest, ...record.blobs.map(({ digest }) => digest)]),
      ...blobPins.all,
    ]),
  );
  const needed = records.flatMap(({ layers }) => planDisks(layers).map(({ digest }) => digest));
  await disks.sweep(new Set([...needed, ...diskPins.all]));
}
