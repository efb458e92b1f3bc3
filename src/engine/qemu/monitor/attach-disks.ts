/**
 * Attaches disks to slots of a VM that runs or is paused. The image replaces the empty node below
 * the guest's device.
 *
 * @module
 */
import { randomBytes } from 'node:crypto';
import { constants } from 'node:fs';
import { open } from 'node:fs/promises';
import * as z from 'zod';
import { A3sError } from '../../../errors.ts';
import type { Disk } from '../../vm/devices.ts';
import { TEMPLATE_SLOTS } from '../../vm/slots.ts';
import { attachedSet, setFile } from '../command-line/descriptor-sets.ts';
import type { Command } from '../command-line/devices.ts';
import { executeAll } from './execute-all.ts';
import type { QmpClient } from './qmp.ts';

type Monitor = Pick<QmpClient, 'execute'>;

const SLOTS: readonly string[] = TEMPLATE_SLOTS.layers;

/**
 * @throws A3sError `invalid-argument` for what has no slot, `state-unusable` for a file that cannot
 * be opened, `vmm-failed`
 */
export async function attachDisks(monitor: Monitor, disks: readonly Disk[]): Promise<void> {
  const placed = disks.map((disk) => ({ ...disk, slot: SLOTS.indexOf(disk.serial) }));
  if (placed.some(({ slot, readonly }) => slot < 0 || !readonly)) {
    throw new A3sError('invalid-argument', 'Cannot attach a disk to a slot that is not for it');
  }
  for (const { path, slot } of placed) await handOver(monitor, path, attachedSet(slot));
  await executeAll(
    monitor,
    placed.flatMap(({ serial, slot }) => slotCommands(serial, attachedSet(slot))),
  );
}

async function handOver(monitor: Monitor, path: string, set: number): Promise<void> {
  const file = await open(path, constants.O_RDONLY | constants.O_NOFOLLOW).catch(
    (cause: unknown) => {
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new A3sError('state-unusable', `Cannot attach ${path} to a microVM: ${why}`, { cause });
    },
  );
  try {
    await monitor.execute('add-fd', { 'fdset-id': set }, z.unknown(), file.fd);
  } finally {
    await file.close();
  }
}

/**
 * The device keeps its node, which is now a layer over the image. The descriptor set keeps no
 * unused descriptor.
 */
function slotCommands(serial: string, set: number): Command[] {
  // A new name: an earlier disk in the slot, such as the disk of a warm-up, keeps its own.
  const file = `${serial}-${randomBytes(8).toString('hex')}`;
  return [
    [
      'blockdev-add',
      {
        driver: 'file',
        'node-name': file,
        filename: setFile(set),
        'read-only': true,
        locking: 'off',
      },
    ],
    [
      'blockdev-reopen',
      { options: [{ driver: 'raw', 'node-name': serial, 'read-only': true, file }] },
    ],
    ['remove-fd', { 'fdset-id': set }],
  ];
}
