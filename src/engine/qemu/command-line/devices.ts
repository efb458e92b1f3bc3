/**
 * The devices of one box, as commands of the monitor or as arguments of the command line.
 *
 * @module
 */

import { passtSocket } from '../../helpers/passt.ts';
import type { Disk, Nic } from '../../vm/devices.ts';
import type { VmSpec } from '../../vm/vm-spec.ts';
import { backingSet, diskSet, setFile } from './descriptor-sets.ts';
import { diskSlots, nicSlot, type Slot, shareSlots } from './slots.ts';

/** The backend of the network card. */
export const NETDEV = 'net0';

/** One monitor command, and the descriptor that is sent with it. */
export type Command = readonly [
  name: string,
  args: Readonly<Record<string, unknown>>,
  descriptor?: number,
];

/** Disks, by their inherited descriptors. */
export function diskCommands(spec: VmSpec): Command[] {
  return placedDisks(spec, diskSlots(spec));
}

/** Attaches only those disks, at those places. */
export function placedDisks(
  { disks }: Pick<VmSpec, 'disks'>,
  places: readonly (readonly [number, Slot])[],
): Command[] {
  return places.flatMap(([index, slot]) => {
    const disk = disks[index];
    return disk === undefined ? [] : diskPair(disk, index, `disk${index}`, slot);
  });
}

/** @param index of the disk among the descriptors that QEMU inherits */
export function diskPair(disk: Disk, index: number, id: string, slot: Slot): Command[] {
  const below = (disk.backing ?? []).map((_, n) => backingSet(index, n));
  return diskOfSets(disk, { top: diskSet(index), below }, id, slot);
}

/** The sets with the descriptors of a disk, and of the images below it from the lowest. */
export interface DiskSets {
  readonly top: number;
  readonly below: readonly number[];
}

/** A disk whose backend and device have the same id. */
export function diskOfSets(disk: Disk, sets: DiskSets, id: string, slot: Slot): Command[] {
  const { readonly } = disk;
  const top = {
    'node-name': id,
    'read-only': readonly,
    discard: readonly ? 'ignore' : 'unmap',
    file: {
      driver: 'file',
      filename: setFile(sets.top),
      // A layer is shared and read-only, so no process can lock it for writing. A box's own disk
      // has one writer.
      locking: readonly ? 'off' : 'on',
    },
  };
  const below = sets.below.map((set, n): Command => ['blockdev-add', backingNode(id, set, n)]);
  const over = `${id}-${below.length - 1}`;
  const node = below.length === 0 ? { driver: 'raw', ...top } : qcow2(top, over);
  return [...below, ['blockdev-add', node], diskDevice(disk.serial, id, slot)];
}

/** An image below a disk. Many disks may share it, and none writes to it. */
function backingNode(id: string, set: number, n: number): Record<string, unknown> {
  const filename = setFile(set);
  const file = { driver: 'file', filename, locking: 'off' };
  const node = { 'node-name': `${id}-${n}`, 'read-only': true, file };
  return n === 0 ? { driver: 'raw', ...node } : qcow2(node, `${id}-${n - 1}`);
}

/** A layer. The reference in its file to the image below is ignored. */
export function qcow2(
  node: Readonly<Record<string, unknown>>,
  backing: string | null,
): Record<string, unknown> {
  return { driver: 'qcow2', ...node, backing };
}

/** The device of a disk whose backend has the same id. */
export function diskDevice(serial: string, id: string, slot: Slot): Command {
  return [
    'device_add',
    {
      ...placed('virtio-blk-pci', slot),
      drive: id,
      id,
      serial,
      // A host without space is an error that the guest sees. QEMU's default stops the VM silently.
      werror: 'report',
      rerror: 'report',
    },
  ];
}

/** Attaches the network card. What takes its frames is there already. */
export function nicCommands(nic: Nic, runtimeDir: string): Command[] {
  return [...uplink(NETDEV, nic, runtimeDir), nicDevice(nic.mac)];
}

/** The backend for a card's frames. */
export function uplink(id: string, { tap }: Pick<Nic, 'tap'>, runtimeDir: string): Command[] {
  return backendCommands(id, tap === undefined ? { socket: passtSocket(runtimeDir) } : { tap });
}

/** The backend: a tap device, or the translator that listens on a socket. */
export function backendCommands(
  id: string,
  to: { readonly tap: number } | { readonly socket: string },
): Command[] {
  if ('socket' in to) return [translator(id, to.socket)];
  return [
    ['getfd', { fdname: id }, to.tap],
    ['netdev_add', { type: 'tap', id, fd: id }],
  ];
}

/** The backend for a card whose translator listens on `socket`. */
export function translator(id: string, socket: string): Command {
  const addr = { type: 'unix', path: socket };
  return ['netdev_add', { type: 'stream', id, server: false, addr }];
}

/** The network card; `netdev`, its backend, is null where none takes its frames. */
export function nicDevice(mac: string, netdev: string | null = NETDEV): Command {
  const backend = netdev === null ? {} : { netdev };
  // No boot ROM: no VM boots from the network.
  const card = { ...backend, id: 'nic0', mac, romfile: '' };
  return ['device_add', { ...placed('virtio-net-pci', nicSlot()), ...card }];
}

/**
 * Attaches shares in the spec's order, each joined to the file server that listens on its socket.
 */
export function shareCommands(spec: VmSpec, sockets: readonly string[]): Command[] {
  return placedShares(spec, shareSlots(spec), sockets);
}

/** Attaches those shares at those places. */
export function placedShares(
  { shares }: Pick<VmSpec, 'shares'>,
  places: readonly (readonly [number, Slot])[],
  sockets: readonly string[],
): Command[] {
  return places.flatMap(([index, slot]) => {
    const share = shares[index];
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

const OPTIONS: Readonly<Record<string, string>> = {
  'blockdev-add': '-blockdev',
  device_add: '-device',
  netdev_add: '-netdev',
};

/** The same device, for a VM that has it from the start. */
export function asArguments(commands: readonly Command[]): string[] {
  return commands.flatMap(([name, args]) => {
    const option = OPTIONS[name];
    if (option === undefined) throw new TypeError(`${name} is no option of a command line`);
    return [option, JSON.stringify(args)];
  });
}

/** A device of a guest whose memory the host cannot read but where the guest lets it. */
export function modern(
  device: Readonly<Record<string, unknown>>,
): Readonly<Record<string, unknown>> {
  return { ...device, 'disable-legacy': 'on', iommu_platform: true };
}

function placed(driver: string, slot: Slot): Record<string, unknown> {
  return { driver, ...slot };
}
