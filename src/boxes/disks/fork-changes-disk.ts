/**
 * The writable layer of a box that goes on from a snapshot.
 *
 * @module
 */
import { rm } from 'node:fs/promises';
import type { BoxDefinition } from '../record/box.ts';
import { boxDirectory, type Runtime } from '../runtime.ts';
import { addLayer, layersOf, shareLayers } from './backing-chain.ts';
import { CHANGES_DISK, changesPath } from './writable-layer.ts';

/**
 * The snapshot's files under other names, and a layer of the box's own, in place of whatever is there: memory and disk are of one
 * moment, so nothing that a start which failed has written may be left, and a layer that others have too is never written to.
 */
export async function forkChangesDisk(
  rt: Pick<Runtime, 'home'>,
  { id, identity }: BoxDefinition,
  directory: string,
): Promise<void> {
  const base = changesPath(rt, id);
  for (const file of await layersOf(base)) await rm(file, { force: true });
  await shareLayers(await layersOf(`${directory}/${CHANGES_DISK}`), boxDirectory(rt, id));
  await addLayer(base, identity);
}
