/**
 * Devices that a templated VM has from its boot on, so that its guest knows them when it is saved:
 * a network card and the slots of disks. In the template most of them are empty; a copy has its
 * box's disks there.
 *
 * @module
 */
import type { Nic } from '../../vm/devices.ts';
import { TEMPLATE_SLOTS } from '../../vm/slots.ts';
import type { VmSpec } from '../../vm/vm-spec.ts';
import {
  asArguments,
  type Command,
  diskDevice,
  diskPair,
  NETDEV,
  nicDevice,
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

/** On the command line of a VM that is saved as a template. */
export function savedDevices(spec: Pick<VmSpec, 'disks'>): string[] {
  return [...templateDevices(spec), ...asArguments([savedCard()])];
}

/**
 * On the command line of a VM that starts from saved memory. It gets its card by the monitor, since
 * what takes the card's frames may have yet to come.
 */
export function templateDevices(spec: Pick<VmSpec, 'disks'>): string[] {
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
    ...asArguments(slotCommands(spec)),
  ];
}

/**
 * The card of a template, which leads nowhere. Its guest learns that it need not announce the card
 * after a resume: Linux 6.12 locks up where a card is taken down, moved or detached while its
 * announcement is pending.
 */
function savedCard(): Command {
  const [name, card] = nicDevice(TEMPLATE_MAC, null);
  return [name, { ...card, guest_announce: false }];
}

/**
 * Attaches the card of a VM before its state is loaded. What takes its frames is there already.
 * Without a network QEMU drops them.
 *
 * The guest finds the address of the state. QEMU itself announces the card by its present one, and
 * passt sends to the address that it has seen last.
 */
export function loadedCard(nic: Nic | undefined, runtimeDir: string): Command[] {
  if (nic === undefined) return [nicDevice(TEMPLATE_MAC, null)];
  return [...uplink(NETDEV, nic, runtimeDir), nicDevice(nic.mac)];
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
