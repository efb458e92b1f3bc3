/**
 * The writable layer: a sparse ext4 disk that holds a box's changes, kept from run to run.
 *
 * @module
 */
import { access, chmod, chown, open, rename, rm } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { syncDirectory } from '../../durable.ts';
import type { JailIdentity } from '../../jail/jail.ts';
import { makeBlankDisk } from '../../templates/blank-disk.ts';
import type { TakenTemplate } from '../../templates/templates.ts';
import type { BoxDefinition } from '../record/box.ts';
import { boxDirectory } from '../record/directories.ts';
import type { Services } from '../services/services.ts';

/** Its name in the box's directory. */
export const WRITABLE_LAYER_FILE = 'changes.ext4';

/** Where the box's changes are kept from run to run. */
export function writableLayerPath(rt: Pick<Services, 'home'>, id: string): string {
  return join(boxDirectory(rt, id), WRITABLE_LAYER_FILE);
}

/**
 * Makes the disk at `path` where it does not exist, owned by the identity of its microVM.
 *
 * It starts empty. Nothing of a guest is read here, so no jail is needed. Making it takes about 15
 * ms, which a start from a template does not need.
 *
 * @param bytes its size; undefined: the usual one
 * @throws A3sError `disk-full`, `tool-missing`
 */
export async function ensureWritableLayer(
  path: string,
  identity: JailIdentity,
  bytes?: number,
): Promise<void> {
  if (await hasWritableLayer(path)) return;
  await make(path, async (partial) => {
    await makeBlankDisk(partial, bytes);
    await chmod(partial, 0o600);
    if (process.geteuid?.() === 0) await chown(partial, identity.uid, identity.gid);
  });
}

/**
 * Makes the disk of a box that starts from a template: a copy of the one that the template's guest
 * has mounted.
 *
 * @throws A3sError `disk-full`
 */
export async function copyWritableLayer(
  path: string,
  taken: Pick<TakenTemplate, 'writeChanges'>,
  identity: JailIdentity,
): Promise<void> {
  await make(path, (partial) => taken.writeChanges(partial, identity));
}

/**
 * Whether the box has one. A half-made disk does not count.
 *
 * @throws the kernel's error where that cannot be found out: a new disk in its place would destroy
 * what the box has written
 */
export async function hasWritableLayer(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'ENOENT') return false;
    throw error;
  }
}

/** Makes a new disk, with its name, outlast a power cut. The guest may write to it meanwhile. */
async function syncDisk(path: string): Promise<void> {
  const disk = await open(path, 'r');
  try {
    await disk.sync();
  } finally {
    await disk.close();
  }
  const directory = dirname(path);
  await syncDirectory(directory);
  await syncDirectory(dirname(directory));
}

/** Syncs a new disk, while the start goes on. A box that is removed at its end needs no sync. */
export async function syncWritableLayer(
  rt: Pick<Services, 'home'>,
  { id, autoRemove }: Pick<BoxDefinition, 'id' | 'autoRemove'>,
): Promise<void> {
  if (!autoRemove) await syncDisk(writableLayerPath(rt, id));
}

/** Makes the whole file, or nothing. */
async function make(path: string, write: (partial: string) => Promise<void>): Promise<void> {
  const partial = `${path}.new`;
  await rm(partial, { force: true });
  try {
    await write(partial);
    await rename(partial, path);
  } catch (error) {
    await rm(partial, { force: true });
    throw error;
  }
}
