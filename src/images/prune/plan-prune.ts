/**
 * Which images `prune` removes, by Docker's rules.
 *
 * @module
 */
import type { Catalog, ImageRecord } from '../catalog/catalog.ts';
import type { PruneOptions } from './prune-options.ts';

export interface Pruned {
  readonly record: ImageRecord;
  /** Canonical names that are removed with it. */
  readonly names: readonly string[];
}

/** An image that does not say when it was made is older than any other. */
export function planPrune(catalog: Catalog, options: PruneOptions): readonly Pruned[] {
  const held = options.inUse();
  return catalog
    .all()
    .map((record) => ({ record, names: catalog.namesOf(record.id) }))
    .filter(
      ({ record, names }) =>
        !held.has(record.id) &&
        (!options.danglingOnly || names.length === 0) &&
        (options.until === undefined || madeAt(record) < options.until) &&
        options.matches(record.config.labels),
    );
}

function madeAt({ created }: ImageRecord): number {
  return Date.parse(created) || 0;
}
