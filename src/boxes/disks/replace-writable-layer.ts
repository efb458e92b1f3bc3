/**
 * Puts the files of a snapshot in the place of a box's writable layer, in one step.
 *
 * The new files are made in a directory beside the old ones. Giving it its final name is the step:
 * before it the box has its old disk, after it the new one, whenever the server ends. What is left
 * to do then is finished before the disk is used. The directory loses that name before it is
 * removed.
 *
 * @module
 */
import { link, mkdir, readdir, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { syncDirectory } from '../../durable.ts';
import type { BoxDefinition } from '../record/box.ts';
import { boxDirectory } from '../record/directories.ts';
import type { Services } from '../services/services.ts';
import { addLayer, fullOr, layersOf, shareLayers } from './backing-chain.ts';
import { WRITABLE_LAYER_FILE, writableLayerPath } from './writable-layer.ts';

/** In the box's directory: the files that take the place of those beside it. */
const RESTORED = 'restored';

/**
 * The caller holds the box's lock, and the box does not run. A box that never ran keeps this disk.
 *
 * @param directory of the snapshot's files
 * @throws A3sError `disk-full`, `conflict` where there would be too many layers; then the box has
 * its old disk. What fails after the step is logged, and done again before the disk is used.
 */
export async function replaceWritableLayer(
  rt: Pick<Services, 'home' | 'store' | 'log'>,
  { id, identity }: Pick<BoxDefinition, 'id' | 'identity'>,
  directory: string,
): Promise<void> {
  await finishReplacement(rt, id);
  const box = boxDirectory(rt, id);
  const making = makingDirectory(box);
  try {
    await mkdir(making, { mode: 0o700 });
    await shareLayers(await layersOf(join(directory, WRITABLE_LAYER_FILE)), making);
    await addLayer(join(making, WRITABLE_LAYER_FILE), identity);
    await syncDirectory(making);
    // Recorded first, since the next server removes the unused disk of a box that never ran.
    if (rt.store.expect(id).state.startedAt === undefined) rt.store.amend(id, { hasFiles: true });
    await rename(making, join(box, RESTORED));
  } catch (error) {
    await rm(making, { recursive: true, force: true });
    throw fullOr(error);
  }
  try {
    await syncDirectory(box);
    await finishReplacement(rt, id);
  } catch (error) {
    // The box has its new disk: the rest is tried again before the disk is used.
    rt.log.error(
      'the new disk of a box is not in its place yet; its next use finishes this',
      error,
      { box: id },
    );
  }
}

/**
 * Finishes a replacement that a server was in the middle of, and removes one that it had not come
 * to. The caller holds the box's lock.
 *
 * The new files get second names here, and their directory is whole as long as it has its final
 * name. So this can begin anew at any point.
 */
export async function finishReplacement(rt: Pick<Services, 'home'>, id: string): Promise<void> {
  const box = boxDirectory(rt, id);
  await rm(makingDirectory(box), { recursive: true, force: true });
  const restored = join(box, RESTORED);
  const names = await readdir(restored).catch((error: unknown) => {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return undefined;
    throw error;
  });
  if (names === undefined) return;
  try {
    for (const file of await layersOf(writableLayerPath(rt, id))) {
      if (!names.includes(basename(file))) await rm(file, { force: true });
    }
    for (const name of names) {
      await rm(join(box, name), { force: true });
      await link(join(restored, name), join(box, name));
    }
    await syncDirectory(box);
    // Its removal takes several steps. Under its final name, a part of it would be taken for all of
    // the box's files.
    await rename(restored, makingDirectory(box));
    await syncDirectory(box);
    await rm(makingDirectory(box), { recursive: true });
  } catch (error) {
    throw fullOr(error);
  }
}

function makingDirectory(box: string): string {
  return join(box, `${RESTORED}.new`);
}
