/**
 * Chain ids: what OCI calls a stack of layers by, so that a layer above two different ones has two.
 *
 * @module
 */
import { createHash } from 'node:crypto';
import type { Catalog } from './catalog/catalog.ts';

/** Of each layer with those below it, the lowest first. https://github.com/opencontainers/image-spec/blob/main/config.md#layer-chainid */
export function chainIds(diffIds: readonly string[]): readonly string[] {
  const ids: string[] = [];
  for (const diffId of diffIds) {
    const below = ids.at(-1);
    ids.push(below === undefined ? diffId : sha256(`${below} ${diffId}`));
  }
  return ids;
}

/** Chain ids that no image but this one has, the uppermost first. */
export function layersOnlyOf(imageId: string, catalog: Pick<Catalog, 'all'>): readonly string[] {
  const all = catalog.all().map(({ id, layers }) => ({
    id,
    chain: chainIds(layers.map(({ diffId }) => diffId)),
  }));
  const others = new Set(all.flatMap(({ id, chain }) => (id === imageId ? [] : chain)));
  const own = all.find(({ id }) => id === imageId)?.chain ?? [];
  return own.filter((id) => !others.has(id)).reverse();
}

function sha256(text: string): string {
  return `sha256:${createHash('sha256').update(text).digest('hex')}`;
}
