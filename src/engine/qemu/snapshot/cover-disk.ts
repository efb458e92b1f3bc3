/**
 * Puts an empty layer over the writable layer of a VM that runs: later writes go to that layer, and
 * the files below stay as they are.
 *
 * QEMU finishes the blocks in flight and flushes the image below before it goes on.
 *
 * @module
 */
import { constants } from 'node:fs';
import { open, rm } from 'node:fs/promises';
import * as z from 'zod';
import { A3sError } from '../../../errors.ts';
import { overlaySet, setFile } from '../command-line/descriptor-sets.ts';
import { type Command, qcow2 } from '../command-line/devices.ts';
import { executeAll } from '../monitor/execute-all.ts';
import { type FoundDisks, findDisks } from '../monitor/find-disks.ts';
import type { QmpClient } from '../monitor/qmp.ts';

type Monitor = Pick<QmpClient, 'execute'>;

/** QEMU uses a descriptor only for the access that it was opened with. */
export const OVERLAY_ACCESS = constants.O_RDWR | constants.O_NOFOLLOW;

/**
 * The two commands that put a layer over a disk.
 *
 * @param set of the layer's descriptor
 * @param node name of the disk's block node
 */
export function coverCommands(set: number, node: string): { add: Command; cover: Command } {
  const overlay = `over-${set}`;
  const file = { driver: 'file', filename: setFile(set) };
  const image = { 'node-name': overlay, 'read-only': false, discard: 'unmap', file };
  return {
    add: ['blockdev-add', qcow2(image, null)],
    cover: ['blockdev-snapshot', { node, overlay }],
  };
}

/** @throws A3sError `vmm-failed` where the VM has none */
export async function findWritableLayer(
  monitor: Monitor,
): Promise<
  Pick<FoundDisks, 'templated'> & { readonly changes: NonNullable<FoundDisks['changes']> }
> {
  const { templated, changes } = await findDisks(monitor);
  if (changes !== undefined) return { templated, changes };
  throw new A3sError('vmm-failed', 'The microVM has no writable layer');
}

/**
 * @throws A3sError `vmm-failed`; then the VM writes where it did before, and the layer's file is
 * removed, unless the VM did not answer whether it uses that
 */
export async function coverDisk(
  monitor: Monitor,
  overlayPath: string,
  signal: AbortSignal,
): Promise<void> {
  const { node } = (await findWritableLayer(monitor)).changes;
  try {
    await coverNode(monitor, overlayPath, node, signal);
  } catch (error) {
    if (await writesTo(monitor, node)) await rm(overlayPath, { force: true });
    throw error;
  }
}

/** False also where the VM does not answer. */
async function writesTo(monitor: Monitor, node: string): Promise<boolean> {
  try {
    return (await findDisks(monitor)).changes?.node === node;
  } catch {
    return false;
  }
}

async function coverNode(
  monitor: Monitor,
  overlayPath: string,
  node: string,
  signal: AbortSignal,
): Promise<void> {
  const set = overlaySet();
  const { add, cover } = coverCommands(set, node);
  const file = await open(overlayPath, OVERLAY_ACCESS);
  try {
    signal.throwIfAborted();
    await monitor.execute('add-fd', { 'fdset-id': set }, z.unknown(), file.fd);
  } finally {
    await file.close();
  }
  try {
    await executeAll(monitor, [add, cover]);
  } catch (error) {
    const undo = [
      ['blockdev-del', { 'node-name': `over-${set}` }],
      ['remove-fd', { 'fdset-id': set }],
    ] as const;
    // The node is not there where it was refused.
    for (const [name, args] of undo) {
      await monitor.execute(name, args, z.unknown()).catch(() => undefined);
    }
    throw error;
  }
}
