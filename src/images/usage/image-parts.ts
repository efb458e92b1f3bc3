/**
 * What an image takes on disk: its blobs, and the disks that boxes boot from.
 *
 * @module
 */
import { stat } from 'node:fs/promises';
import type { ImageRecord } from '../catalog/catalog.ts';
import { type Disks, planDisks } from '../disks.ts';
import type { Parts } from './shares.ts';

/** stat(2) counts blocks of this size, whatever the file system's are. */
const STAT_BLOCK = 512;

/** The blobs that make up the size that lists of images show. */
export function blobParts({ id, size, layers }: ImageRecord): Parts {
  const ofLayers = layers.reduce((sum, layer) => sum + layer.size, 0);
  const parts = new Map<string, number>([[id, size - ofLayers]]);
  for (const layer of layers) parts.set(layer.blob, layer.size);
  return parts;
}

/** Blobs and disks; a disk that is not made yet takes nothing. */
export async function diskParts(record: ImageRecord, disks: Disks): Promise<Parts> {
  const parts = new Map(blobParts(record));
  parts.set(record.manifest.digest, record.manifest.size);
  for (const { digest } of planDisks(record.layers)) {
    parts.set(`disk ${digest}`, await allocated(disks.path(digest)));
  }
  return parts;
}

/** Bytes that a file takes on disk; its holes take none. 0 where there is no file. */
export async function allocated(path: string): Promise<number> {
  const found = await stat(path).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  return found === undefined ? 0 : found.blocks * STAT_BLOCK;
}
