/**
 * Plugs what belongs to one box into its machine, through the monitor.
 *
 * @module
 */
import * as z from 'zod';
import type { MachineSpec } from '../engine.ts';
import { diskFile } from './arguments.ts';
import type { QmpClient } from './qmp.ts';
import { diskSlots, nicSlot, type Slot, shareSlots } from './slots.ts';

/** One monitor command. */
export type Command = readonly [name: string, args: Readonly<Record<string, unknown>>];

/** Disks, by their inherited descriptors. */
export function diskCommands(spec: MachineSpec): Command[] {
  return diskSlots(spec).flatMap(([index, slot]) => {
    const disk = spec.disks[index];
    if (disk === undefined) return [];
    const id = `disk${index}`;
    const file = {
      driver: 'file',
      filename: diskFile(index),
      // A layer is shared and read-only, so nobody can lock it for writing; a box's own disk has one writer.
      locking: disk.readonly ? 'off' : 'on',
    };
    const node = {
      driver: 'raw',
      'node-name': id,
      'read-only': disk.readonly,
      discard: disk.readonly ? 'ignore' : 'unmap',
      file,
    };
    const device = {
      ...placed('virtio-blk-pci', slot),
      drive: id,
      id,
      serial: disk.serial,
      // A host without space is an error that the guest sees; QEMU's default stops the machine without a word.
      werror: 'report',
      rerror: 'report',
    };
    return [
      ['blockdev-add', node],
      ['device_add', device],
    ] satisfies Command[];
  });
}

/** The network card, joined to the translator that listens on `socket`. */
export function nicCommands(mac: string, socket: string): Command[] {
  const addr = { type: 'unix', path: socket };
  return [
    ['netdev_add', { type: 'stream', id: 'net0', server: false, addr }],
    [
      'device_add',
      // No boot ROM: nothing here boots from the network.
      { ...placed('virtio-net-pci', nicSlot()), netdev: 'net0', id: 'nic0', mac, romfile: '' },
    ],
  ];
}

/** Shares, each joined to the file server that listens on its socket, in the spec's order. */
export function shareCommands(spec: MachineSpec, sockets: readonly string[]): Command[] {
  return shareSlots(spec).flatMap(([index, slot]) => {
    const share = spec.shares[index];
    const path = sockets[index];
    if (share === undefined || path === undefined) return [];
    const id = `share${index}`;
    const addr = { type: 'unix', data: { path } };
    const backend = { type: 'socket', data: { addr, server: false } };
    return [
      ['chardev-add', { id, backend }],
      ['device_add', { ...placed('vhost-user-fs-pci', slot), chardev: id, id, tag: share.tag }],
    ] satisfies Command[];
  });
}

/** Runs commands in order; the first refusal ends it. */
export async function plug(monitor: QmpClient, commands: readonly Command[]): Promise<void> {
  for (const [name, args] of commands) await monitor.execute(name, args, z.unknown());
}

function placed(driver: string, slot: Slot): Record<string, unknown> {
  return { driver, ...slot };
}
