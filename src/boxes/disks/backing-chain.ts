/**
 * The backing chain of a writable layer: what a box had written when a snapshot of it was made, and
 * what was written since.
 *
 * The chain's layers are files beside the base disk, in the order of their numbers. Only the last
 * one is written to. A layer that a snapshot holds too is the same file under two names, and is not
 * written to. So the time to add a layer does not depend on the size of the disk. An empty layer
 * that was never used does not change the content of the disk.
 *
 * @module
 */
import { chown, link, open, readdir, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { isDiskFull } from '../../disk-full.ts';
import { renameDurably } from '../../durable.ts';
import type { Disk } from '../../engine/vm/devices.ts';
import { A3sError } from '../../errors.ts';
import type { JailIdentity } from '../../jail/jail.ts';
import { overlayImage } from './overlay-image.ts';

const LAYER = /^changes\.([1-9]\d{0,3})\.qcow2$/;
/** Each layer is another file in which a read may have to look. */
const MOST_LAYERS = 16;

/**
 * The files of the writable layer: the one that is written to, and its backing chain, lowest first.
 */
export async function writableLayerFiles(base: string): Promise<Pick<Disk, 'path' | 'backing'>> {
  const files = await layersOf(base);
  const path = files.pop() ?? base;
  return files.length === 0 ? { path } : { path, backing: files };
}

/**
 * Adds an empty layer on top, owned by this identity. The layer is on the disk before it has its
 * name: if a power cut left an empty file under that name, what is below it could not be read.
 *
 * @throws A3sError `conflict` where there are too many, `disk-full`
 */
export async function addLayer(base: string, identity: JailIdentity): Promise<string> {
  const files = await layersOf(base);
  if (files.length > MOST_LAYERS) {
    throw new A3sError(
      'conflict',
      `Cannot add a layer to the disk of the box: it has ${MOST_LAYERS}, which are the most`,
      {
        remedy:
          'Each snapshot of a box adds one, and so does each start from a snapshot. Make an image of the box with a3s-box commit, and run a new one.',
      },
    );
  }
  const path = join(dirname(base), `changes.${numberOf(files.at(-1)) + 1}.qcow2`);
  const partial = `${path}.new`;
  try {
    await rm(partial, { force: true });
    await write(partial, overlayImage((await stat(base)).size));
    if (process.geteuid?.() === 0) await chown(partial, identity.uid, identity.gid);
    await renameDurably(partial, path);
    return path;
  } catch (error) {
    await rm(partial, { force: true });
    throw fullOr(error);
  }
}

async function write(path: string, content: Buffer): Promise<void> {
  const file = await open(path, 'wx', 0o600);
  try {
    await file.chmod(0o600);
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}

/**
 * Links the files into another directory of the same file system. None of them may be written to
 * later.
 */
export async function shareLayers(files: readonly string[], directory: string): Promise<void> {
  try {
    for (const file of files) {
      const name = join(directory, basename(file));
      await rm(name, { force: true });
      await link(file, name);
    }
  } catch (error) {
    throw fullOr(error);
  }
}

/** All files of the chain, lowest first. The base is always there. */
export async function layersOf(base: string): Promise<string[]> {
  const directory = dirname(base);
  const layers = (await readdir(directory)).filter((name) => LAYER.test(name));
  layers.sort((a, b) => numberOf(a) - numberOf(b));
  return [base, ...layers.map((name) => join(directory, name))];
}

function numberOf(file = ''): number {
  return Number(LAYER.exec(basename(file))?.[1] ?? 0);
}

/** The error of a full disk, or the same one. */
export function fullOr(error: unknown): unknown {
  if (!isDiskFull(error)) return error;
  return new A3sError('disk-full', 'Cannot make a layer of the box’s disk: no space is left', {
    remedy: 'Free some space and try again.',
    cause: error,
  });
}
