/**
 * Names an image that is here, and records the digests that a registry has of it.
 *
 * @module
 */
import type { RepoDigest } from '../catalog/catalog.ts';
import { resolveImage } from '../catalog/resolve.ts';
import { viewOf } from '../catalog/view.ts';
import type { Image } from '../image.ts';
import type { StoreParts } from '../store-parts.ts';
import { sweep } from '../sweep.ts';
import { tagTarget } from './tag-target.ts';

/** @throws A3sError `no-such-image`, `invalid-reference` */
export async function tagImage(parts: StoreParts, source: string, target: string): Promise<Image> {
  const name = tagTarget(target);
  return await parts.lock.run(async () => {
    const { catalog } = parts;
    const { record } = resolveImage(source, catalog);
    catalog.name(name, record.manifest.digest);
    await sweep(parts);
    return viewOf(record, catalog);
  });
}

/** After a push. An image that was removed in the meantime has nothing to record. */
export async function recordRepoDigest(
  { lock, catalog }: StoreParts,
  repoDigest: RepoDigest,
): Promise<void> {
  await lock.run(async () => {
    if (catalog.byManifest(repoDigest.digest) === undefined) return;
    catalog.addRepoDigest(repoDigest, repoDigest.digest);
  });
}
