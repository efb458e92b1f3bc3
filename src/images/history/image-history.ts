/**
 * `history`: reads from the store what `historyOf` needs.
 *
 * @module
 */
import { resolveImage } from '../catalog/resolve.ts';
import { familiar } from '../catalog/view.ts';
import { readStoredDocument } from '../content/stored-document.ts';
import type { StoreParts } from '../store-parts.ts';
import { type HistoryEntry, historyOf } from './history.ts';

/** @throws A3sError `no-such-image`; `invalid-image` for a store that is damaged */
export async function imageHistory(
  parts: StoreParts,
  reference: string,
): Promise<readonly HistoryEntry[]> {
  const { record } = resolveImage(reference, parts.catalog);
  return historyOf(await readStoredDocument(record.id, parts), {
    id: record.id,
    created: record.created,
    tags: parts.catalog.namesOf(record.id).map(familiar),
    layerSizes: record.layers.map(({ size }) => size),
  });
}
