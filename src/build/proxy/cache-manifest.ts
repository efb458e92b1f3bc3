/**
 * A build cache in a registry, as BuildKit writes it: an index, or a manifest, whose configuration
 * says which layers each step has made. The image policy decides on it as on an image.
 *
 * @module
 */
import * as z from 'zod';
import { digestText } from '../../oci/digest-text.ts';
import { parseDocument } from '../../oci/json/json.ts';
import { type Descriptor, isIndex, isManifest } from '../../oci/manifest.ts';

const CONFIGURATION = 'application/vnd.buildkit.cacheconfig.v0';
const MAX_BLOBS = 10_000;

const Blob = z.looseObject({
  mediaType: z.string().max(255),
  digest: digestText,
  size: z.int().min(0),
});
const Document = z.looseObject({
  config: Blob.optional(),
  layers: z.array(Blob).max(MAX_BLOBS).nullish(),
  manifests: z.array(Blob).max(MAX_BLOBS).nullish(),
});

export type Blob = Pick<Descriptor, 'mediaType' | 'digest' | 'size'>;

/**
 * All that the document lists; undefined where it is none of a cache.
 *
 * @throws A3sError `invalid-image`
 */
export function cacheBlobs(bytes: Buffer, what: string): readonly Blob[] | undefined {
  const { config, layers, manifests } = parseDocument(bytes, Document, what);
  const blobs = [
    ...(config === undefined ? [] : [config]),
    ...(layers ?? []),
    ...(manifests ?? []),
  ];
  if (!blobs.some(({ mediaType }) => mediaType === CONFIGURATION)) return undefined;
  // A manifest is decided on by itself.
  return blobs.filter((blob) => !isManifest(blob) && !isIndex(blob));
}
