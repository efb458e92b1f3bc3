/**
 * `prune`: removes the images that nobody needs.
 *
 * The decision and the removal are one step, so no box can be created in between. The code that
 * creates a box checks its image again once the box is recorded. The files of a running pull, load
 * or save are pinned, and are deleted when it ends.
 *
 * @module
 */

import { familiar, familiarDigest } from '../catalog/view.ts';
import { ChainCounts } from '../chain-ids.ts';
import type { StoreParts } from '../store-parts.ts';
import { sweep } from '../sweep.ts';
import { diskParts } from '../usage/image-parts.ts';
import { type Parts, shareOut } from '../usage/shares.ts';
import { planPrune } from './plan-prune.ts';
import type { PrunedImage, PruneOptions, PruneResult } from './prune-options.ts';

export async function pruneImages(parts: StoreParts, options: PruneOptions): Promise<PruneResult> {
  const { catalog, lock } = parts;
  return await lock.run(async () => {
    const sizes = new Map<string, Parts>();
    for (const record of catalog.manifests()) {
      sizes.set(record.manifest.digest, await diskParts(record, parts.disks));
    }
    const total = (): number => {
      const left = catalog.manifests().map(({ manifest }) => sizes.get(manifest.digest));
      return shareOut(left.filter((each) => each !== undefined)).total;
    };
    const sizeBefore = total();
    const removed: PrunedImage[] = [];
    const chains = new ChainCounts(catalog.all());
    // Nothing awaits between the plan and its end.
    for (const { record, names } of planPrune(catalog, options)) {
      const repoDigests = catalog.repoDigestsOf(record.id);
      const layers = chains.remove(record.id);
      catalog.remove(names, repoDigests, record.id);
      const untagged = [...names.map(familiar), ...repoDigests.map(familiarDigest)];
      removed.push({ id: record.id, untagged, layers });
    }
    const reclaimed = sizeBefore - total();
    await sweep(parts);
    return { removed, reclaimed };
  });
}
