/**
 * The manifest of an artifact that is attached to an image: its blobs and its declared type.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../errors.ts';
import type { Digest } from '../oci/digest.ts';
import { digestText } from '../oci/digest-text.ts';
import { openObject, parseDocument } from '../oci/json/json.ts';

const MAX_LAYERS = 1024;

const Descriptor = openObject({
  mediaType: z.string().max(255),
  digest: digestText,
  size: z.int().min(0),
});

const Manifest = openObject({
  schemaVersion: z.literal(2),
  artifactType: z.string().max(255).nullish(),
  config: Descriptor.nullish(),
  layers: z.array(Descriptor).max(MAX_LAYERS),
  subject: Descriptor.nullish(),
});

export interface ArtifactManifest {
  readonly subject: Digest | undefined;
  /** All types that the manifest names for itself and for its parts. */
  readonly types: readonly string[];
  readonly layers: readonly { readonly digest: Digest; readonly size: number }[];
}

/** Undefined where the bytes are something else. */
export function parseArtifact(bytes: Buffer): ArtifactManifest | undefined {
  try {
    const { artifactType, config, layers, subject } = parseDocument(bytes, Manifest, 'an artifact');
    const own = artifactType ?? config?.mediaType;
    return {
      subject: subject?.digest,
      types: [...(own === undefined ? [] : [own]), ...layers.map(({ mediaType }) => mediaType)],
      layers: layers.map(({ digest, size }) => ({ digest, size })),
    };
  } catch (error) {
    if (error instanceof A3sError && error.code === 'invalid-image') return undefined;
    throw error;
  }
}
