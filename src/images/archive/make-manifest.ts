/**
 * Makes a manifest for an image that has none: always the same for the same content.
 *
 * @module
 */
import { open } from 'node:fs/promises';
import { OCI_CONFIG, OCI_LAYER, OCI_MANIFEST } from '../../oci/media-types.ts';
import type { StagedFile } from '../content/staging.ts';
import { compressionOf } from '../decompress.ts';
import type { PlannedLayer } from './image-plan.ts';

export async function makeManifest(
  config: StagedFile,
  layers: readonly PlannedLayer[],
): Promise<Buffer> {
  const describe = (mediaType: string, { digest, size }: StagedFile) => ({
    mediaType,
    digest,
    size,
  });
  const descriptors = [];
  for (const { blob } of layers) {
    const compression = await compressionOfFile(blob);
    const suffix = compression === 'none' ? '' : `+${compression}`;
    descriptors.push(describe(OCI_LAYER + suffix, blob));
  }
  return Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_MANIFEST,
      config: describe(OCI_CONFIG, config),
      layers: descriptors,
    }),
  );
}

async function compressionOfFile(blob: StagedFile): Promise<string> {
  const file = await open(blob.path, 'r');
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(8), 0, 8, 0);
    return compressionOf(buffer.subarray(0, bytesRead), `layer ${blob.digest}`);
  } finally {
    await file.close();
  }
}
