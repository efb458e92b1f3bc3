/**
 * Records, after a push, which digests of a stored image a registry has.
 *
 * @module
 */
import type { RepoDigest } from '../catalog/catalog.ts';
import type { StoreParts } from '../store-parts.ts';

/** An image that was removed in the meantime has nothing to record. */
export async function recordRepoDigest(
  { lock, catalog }: StoreParts,
  repoDigest: RepoDigest,
): Promise<void> {
  await lock.run(async () => {
    if (catalog.byManifest(repoDigest.digest) === undefined) return;
    catalog.addRepoDigest(repoDigest, repoDigest.digest);
  });
}
