/**
 * What a registry has of an image that is here, after a push.
 *
 * @module
 */
import type { RepoDigest } from './catalog/catalog.ts';
import type { StoreParts } from './store-parts.ts';

/** An image that was removed meanwhile has nothing to note. */
export async function noteRepoDigest(
  { lock, catalog }: StoreParts,
  repoDigest: RepoDigest,
): Promise<void> {
  await lock.run(async () => {
    if (catalog.byManifest(repoDigest.digest) === undefined) return;
    catalog.addRepoDigest(repoDigest, repoDigest.digest);
  });
}
