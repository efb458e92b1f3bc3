/**
 * Devices that a templated VM has from its boot on, so that its guest knows them when it is saved:
 * a network card and the slots of disks. In the template most of them are empty; a copy has its
 * box's disks there.
 *
 * @module
 */
import { type Nic, TEMPLATE_SLOTS, type VmSpec } from '../../engine.ts';
import { passtSocket } from '../../helpers/passt.ts';
import {
  asArguments,
  type Command,
  diskDevice,
  diskPair,
  NETDEV,
  nicDevice,
  translator,
  uplink,
} from './devices.ts';
import { templateSlots } from './slots.ts';

/** The card has this address until the agent sets the box's own. */
export const TEMPLATE_MAC = '02:00:00:00:00:00';

/**
 * The size of an empty slot: more than any disk that may be put there, since the guest reads the
 * size only once.
 */
const ABSENT_BYTES = 2 ** 40;

export const HUB = 0;

/** On the command line. */
export function templateDevices(spec: Pick<VmSpec, 'disks' | 'nic'>): string[] {
  return [
    '-global',
    // The state does not record that the VM was stopped when it was saved: a copy runs as soon as
    // it may.
    'migration.store-global-state=off',
    // `migration.announce-rounds=0` is not used: the card then has no timer, and QEMU dies when its
    // guest powers off and resets the card.
    '-device',
    // Tells the guest's kernel that it is a copy, so that it reseeds its random numbers.
    'vmgenid,guid=auto',
    ...asArguments([...(isDirect(spec.nic) ? [] : onHub(spec.nic)), ...slotCommands(spec)]),
  ];
}

/**
 * Whether the card's backend is the translator itself. A hub in between would swap frames whenever
 * the translator's socket is full: QEMU then sends the next frame before the one that waits. The
 * translator drops what is out of order, so that the guest sends it again.
 */
export function isDirect(nic: Nic | undefined): nic is Nic {
  return nic !== undefined && nic.tap === undefined && nic.redirectable !== true;
}

/** The card on a hub, which what takes its frames can be joined to while the guest runs. */
function onHub(nic: Nic | undefined): Command[] {
  return [
    ['netdev_add', { type: 'hubport', id: NETDEV, hubid: HUB }],
    ...(nic === undefined ? [sink()] : []),
    nicDevice(TEMPLATE_MAC),
  ];
}

/** Attaches a card whose translator listens already, before the VM's state is loaded. */
export function directCommands(runtimeDir: string, mac: string): Command[] {
  return [translator(NETDEV, passtSocket(runtimeDir)), nicDevice(mac)];
}

/**
 * Takes the frames of a card that no translator is joined to. A hub keeps a frame that has no port
 * to go to, and the guest would log forever that the card does not send.
 */
function sink(): Command {
  return ['netdev_add', { type: 'hubport', id: 'sink', hubid: HUB }];
}

/** Joins the network card to what takes its frames, which is there already. */
export function joinCommands(nic: Nic, runtimeDir: string): Command[] {
  const id = 'network';
  return [
    ...uplink(id, nic, runtimeDir),
    ['netdev_add', { type: 'hubport', id: 'uplink', hubid: HUB, netdev: id }],
  ];
}

function slotCommands({ disks }: Pick<VmSpec, 'disks'>): Command[] {
  return templateSlots().flatMap(([serial, slot]): Command[] => {
    const index = disks.findIndex((disk) => disk.serial === serial);
    const disk = disks[index];
    if (disk !== undefined) return diskPair(disk, index, serial, slot);
    return [absent(serial), diskDevice(serial, serial, slot)];
  });
}

function absent(serial: string): Command {
  const readonly = serial !== TEMPLATE_SLOTS.changes;
  const nothing = { driver: 'null-co', size: ABSENT_BYTES, 'read-zeroes': true };
  return [
    'blockdev-add',
    {
      // A filter node, so that another node can be put below it later.
      driver: 'raw',
      'node-name': serial,
      'read-only': readonly,
      file: { ...nothing, 'read-only': readonly },
    },
  ];
}
