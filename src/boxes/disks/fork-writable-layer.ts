/**
 * The writable layer of a fork.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import type { BoxDefinition } from '../record/box.ts';
import { boxDirectory } from '../record/directories.ts';
import type { Services } from '../services/services.ts';
import { addLayer, layersOf, shareLayers } from './backing-chain.ts';
import { WRITABLE_LAYER_FILE, writableLayerPath } from './writable-layer.ts';

/**
 * Links the snapshot's files into the box's directory, with an empty layer of the box's own on top,
 * and replaces existing files.
 *
 * Memory and disk of a snapshot are of one moment, so nothing may be left that a failed start has
 * written. A layer that others have too is never written to: the caller holds the box's lock, so
 * that no microVM opens the box's files before the empty layer is on top of them.
 */
export async function forkWritableLayer(
  rt: Pick<Services, 'home'>,
  { id, identity }: BoxDefinition,
  directory: string,
): Promise<void> {
  const base = writableLayerPath(rt, id);
  for (const file of await layersOf(base)) await rm(file, { force: true });
  await shareLayers(await layersOf(`${directory}/${WRITABLE_LAYER_FILE}`), boxDirectory(rt, id));
  await addLayer(base, identity);
}
