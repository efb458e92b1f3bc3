/**
 * Devices of the guest, and rules for devices.
 *
 * @module
 */
import type { Change, Refused } from './resources.ts';

const DEVICES = 'confinement.devices';
const PRIVILEGED: Change = ['confinement.privileged', true];
const rules = (value: unknown): Change => ['confinement.deviceRules', value];
const char = (access: string, major?: unknown, minor?: unknown) => ({
  ...{ kind: 'char', access },
  ...(major === undefined ? {} : { major }),
  ...(minor === undefined ? {} : { minor }),
});

export const DEVICES_ACCEPTED: readonly Refused[] = [
  ['devices', 'Both of them.', [DEVICES, ['fuse', 'net/tun']]],
  ['devices-privileged', 'A driver is loaded for it.', PRIVILEGED, [DEVICES, ['net/tun']]],
  [
    'device-rules',
    'With numbers of their own.',
    rules([
      ...[char('rwm', 188), char('r', 4, 64), char('rw', 1, 11), char('rw', 10, 229)],
      ...[char('rw', 10, 128), char('rw', 10, 254), char('rw', 233), char('w', 255)],
      ...[char('w', 383), char('w', 512)],
    ]),
  ],
  [
    'device-rules-nodes',
    'A node opens nothing by itself.',
    rules([{ kind: 'block', access: 'm' }, char('m')]),
  ],
];

const inGuest = (name: string, comment: string, rule: unknown): Refused => [
  `device-rules-${name}`,
  comment,
  rules([char('rw', 188), rule]),
];

export const DEVICE_RULES: readonly Refused[] = [
  ['devices-empty', 'An absent list says none.', [DEVICES, []]],
  ['devices-unsorted', 'Out of order.', [DEVICES, ['net/tun', 'fuse']]],
  ['devices-twice', 'One twice.', [DEVICES, ['fuse', 'fuse']]],
  ['devices-processor', 'The secure processor.', [DEVICES, ['sev-guest']]],
  ['devices-port', 'A port of the agent’s.', [DEVICES, ['vport0p1']]],
  ['devices-parent', 'Leads elsewhere.', [DEVICES, ['net/../sev-guest']]],
  ['devices-absolute', 'Below /dev.', [DEVICES, ['/dev/fuse']]],
  ['devices-null', 'Null is no value.', [DEVICES, null]],
  ['device-rules-empty', 'An absent list says none.', rules([])],
  ['device-rules-257', '257 of them.', rules(Array(257).fill(char('r', 188)))],
  ['device-rules-privileged', 'It has all devices.', PRIVILEGED, rules([char('r', 188)])],
  inGuest('kind', 'An unknown kind.', { kind: 'fifo', access: 'r' }),
  inGuest('access', 'An unknown access.', char('rx', 188)),
  inGuest('access-none', 'No access.', char('', 188)),
  inGuest('negative', 'Less than none.', char('r', -1)),
  inGuest('null', 'Null for any.', char('r', null)),
  inGuest('all', 'Every device.', { kind: 'all', access: 'r' }),
  inGuest('all-nodes', 'It permits more than it says.', { kind: 'all', major: 188, access: 'm' }),
  inGuest('block', 'The disks of the guest.', { kind: 'block', major: 254, minor: 0, access: 'r' }),
  inGuest('char', 'Every device of characters.', char('r')),
  inGuest('minor', 'One of every driver.', char('r', undefined, 229)),
  inGuest('misc', 'Any, and so the secure processor.', char('rw', 10)),
  inGuest('misc-low', 'The kernel may give it to the secure processor.', char('rw', 10, 127)),
  inGuest('misc-high', 'The kernel may give it to the secure processor.', char('r', 10, 255)),
  inGuest('snapshot', 'All memory of the guest.', char('r', 10, 231)),
  inGuest('mapper', 'The disks of the guest.', char('rw', 10, 236)),
  inGuest('memory', 'The memory of the guest.', char('r', 1, 1)),
  inGuest('port', 'The ports of the processor.', char('w', 1, 4)),
  inGuest('memory-any', 'With the memory of the guest.', char('r', 1)),
  inGuest('dynamic', 'The kernel may give it to the agent’s port.', char('r', 254)),
  inGuest('dynamic-low', 'The kernel may give it to the agent’s port.', char('w', 234, 1)),
  inGuest('dynamic-more', 'The kernel may give it to the agent’s port.', char('rwm', 511)),
  inGuest('dynamic-least', 'The kernel may give it to the agent’s port.', char('r', 384)),
];
