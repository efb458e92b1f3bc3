/**
 * Keeps a layer that arrives as a plain tar, compressed with gzip as registries have it.
 *
 * @module
 */
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { constants, createGzip } from 'node:zlib';
import { A3sError } from '../../errors.ts';
import { corrupt } from '../../oci/corrupt.ts';
import { Digester, digestOf } from '../../oci/digest.ts';
import type { PlannedLayer } from '../archive/image-plan.ts';
import type { Staging } from '../content/staging.ts';
import type { Limits } from '../limits.ts';

/** Of an archive without entries: two blocks of zeros. Docker makes no layer of it either. */
const EMPTY = digestOf(Buffer.alloc(1024));

/**
 * @throws A3sError `invalid-image` for nothing at all, `too-large`, `disk-full`, and what the layer
 * throws
 */
export async function stageLayer(
  layer: AsyncIterable<Uint8Array>,
  staging: Staging,
  { layerBytes }: Pick<Limits, 'layerBytes'>,
): Promise<PlannedLayer> {
  const digester = new Digester();
  let size = 0;
  async function* counted(): AsyncGenerator<Uint8Array> {
    for await (const chunk of layer) {
      size += chunk.length;
      if (size > layerBytes) {
        throw new A3sError(
          'too-large',
          `Cannot commit the changes: they have more than ${layerBytes} bytes`,
        );
      }
      digester.update(chunk);
      yield chunk;
    }
  }
  // The box may be paused meanwhile, so that speed counts for more than size.
  const gzip = createGzip({ level: constants.Z_BEST_SPEED, chunkSize: 256 * 1024 });
  const feeding = pipeline(Readable.from(counted(), { objectMode: false }), gzip).then(
    () => undefined,
    (error: unknown) => error,
  );
  try {
    const blob = await staging.add(gzip);
    if (size === 0) throw corrupt('the changes', 'they are no archive');
    return { diffId: digester.digest(), blob };
  } finally {
    gzip.destroy();
    await feeding;
  }
}

/** Whether the layer has no entry. */
export function isEmptyLayer({ diffId }: PlannedLayer): boolean {
  return diffId === EMPTY;
}
