/**
 * The payloads of an artifact, as far as its manifest can be read. Registries and archives may hold
 * any content at the places of signatures.
 *
 * @module
 */
import * as z from 'zod';
import { A3sError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import { digestText } from '../../oci/digest-text.ts';
import { parseDocument } from '../../oci/json/json.ts';

const MAX_LAYERS = 1024;

const Artifact = z.looseObject({
  subject: z.looseObject({ digest: digestText }).nullish(),
  layers: z
    .array(
      z.looseObject({ mediaType: z.string().max(255), digest: digestText, size: z.int().min(0) }),
    )
    .max(MAX_LAYERS),
});

export interface ArtifactLayers {
  /** The subject that the manifest names. */
  readonly subject: Digest | undefined;
  readonly layers: readonly {
    readonly mediaType: string;
    readonly digest: Digest;
    readonly size: number;
  }[];
}

/** Undefined where the bytes are something else. */
export function artifactLayers(bytes: Buffer): ArtifactLayers | undefined {
  try {
    const { subject, layers } = parseDocument(bytes, Artifact, 'an artifact');
    return { subject: subject?.digest, layers };
  } catch (error) {
    if (error instanceof A3sError && error.code === 'invalid-image') return undefined;
    throw error;
  }
}
