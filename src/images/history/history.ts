/**
 * How an image was built, as its configuration says.
 *
 * @module
 */
import * as z from 'zod';
import type { Digest } from '../../oci/digest.ts';
import { parseDocument } from '../../oci/json/json.ts';

/** A bound far above what builders write. Entries of an image beyond it are left out. */
const MAX_ENTRIES = 10_000;

const History = z.looseObject({
  history: z
    .array(
      z.looseObject({
        created: z.string().max(64).nullish(),
        created_by: z.string().nullish(),
        author: z.string().nullish(),
        comment: z.string().nullish(),
        empty_layer: z.boolean().nullish(),
      }),
    )
    .max(MAX_ENTRIES)
    .nullish(),
});

export interface HistoryEntry {
  /**
   * The image's id at its newest entry, `<missing>` below: the steps in between have no id of their
   * own.
   */
  readonly id: string;
  /** RFC 3339, or empty where the image does not say. */
  readonly created: string;
  readonly createdBy: string;
  readonly comment: string;
  /**
   * Bytes of the layer's blob, as it is stored and travels: most are compressed, and all of them
   * together with the configuration are the image's size. 0 for a step that made no layer.
   */
  readonly size: number;
  /** Names of the image, at its newest entry. */
  readonly tags: readonly string[];
}

export interface HistorySource {
  readonly id: Digest;
  readonly created: string;
  readonly tags: readonly string[];
  /** Bytes of each layer's blob, lowest first. */
  readonly layerSizes: readonly number[];
}

/**
 * Newest entry first. Where history and layers do not match, every layer still has its entry.
 *
 * @param config the bytes of the image's configuration
 * @throws A3sError `invalid-image`
 */
export function historyOf(config: Buffer, source: HistorySource): readonly HistoryEntry[] {
  const document = parseDocument(config, History, `configuration ${source.id}`);
  const sizes = [...source.layerSizes];
  const entries = (document.history ?? []).map((step) => ({
    created: step.created ?? '',
    createdBy: step.created_by ?? '',
    comment: step.comment ?? '',
    size: step.empty_layer === true ? 0 : (sizes.shift() ?? 0),
  }));
  const untold = sizes.map((size) => ({
    created: source.created,
    createdBy: '',
    comment: '',
    size,
  }));
  return [...entries, ...untold].reverse().map((entry, index) => ({
    ...entry,
    id: index === 0 ? source.id : '<missing>',
    tags: index === 0 ? source.tags : [],
  }));
}
