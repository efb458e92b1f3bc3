/**
 * A copy of a mount of the node that is mounted nowhere yet.
 *
 * @module
 */
import { closeSync } from 'node:fs';
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { A3sError } from '../../errors.ts';
import { ifMissing } from '../../networks/host/if-missing.ts';
import type { PodMount } from '../record/container.ts';
import { O_PATH } from './in-mount-namespace.ts';
import {
  MOUNT_ATTR_NODEV,
  MOUNT_ATTR_NOSUID,
  MOUNT_ATTR_RDONLY,
  type MountCalls,
} from './mount-calls.ts';

/**
 * Opens the path of a mount once, with the links in it: what is checked and mounted is what it led
 * to then. As with other runtimes, a path that is not there becomes a directory.
 *
 * @throws A3sError `bind-source-missing`
 */
export async function openSource(
  hostPath: string,
): Promise<{ readonly held: FileHandle; readonly isDirectory: boolean }> {
  let held = await open(hostPath, O_PATH).catch(ifMissing);
  if (held === undefined) {
    await mkdir(hostPath, { recursive: true, mode: 0o755 });
    held = await open(hostPath, O_PATH);
  }
  try {
    const found = await held.stat();
    if (found.isDirectory() || found.isFile()) return { held, isDirectory: found.isDirectory() };
    throw new A3sError(
      'bind-source-missing',
      `Cannot mount ${hostPath}: neither directory nor file`,
      { remedy: 'Sockets and devices of the node do not work in a microVM.' },
    );
  } catch (error) {
    await held.close();
    throw error;
  }
}

/**
 * Copies what is mounted at an open path, with all below it. The copy is read-only from the
 * beginning, and what is mounted and unmounted on the node later changes nothing in it, nor the
 * other way round. Its last descriptor's end unmounts it, unless it was moved somewhere.
 *
 * @throws A3sError `state-unusable`
 */
export function detachedMount(
  calls: MountCalls,
  source: number,
  { readonly, recursive }: Pick<PodMount, 'readonly' | 'recursive'>,
): { readonly tree: number } & Disposable {
  const tree = calls.cloneTree(source);
  try {
    const access = readonly && recursive ? MOUNT_ATTR_RDONLY : 0;
    calls.setAttributes(tree, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | access, 'all-below');
    if (readonly) calls.setAttributes(tree, MOUNT_ATTR_RDONLY, 'mount');
  } catch (error) {
    closeSync(tree);
    throw error;
  }
  return { tree, [Symbol.dispose]: () => closeSync(tree) };
}
