import { expect, it } from 'vitest';
import type { Disk } from '../../vm/devices.ts';
import type { VmSpec } from '../../vm/vm-spec.ts';
import { diskCommands, nicCommands, shareCommands } from '../command-line/devices.ts';
import { extraSlots, rootPorts, templateSlots } from '../command-line/slots.ts';
import { executeAll } from './execute-all.ts';
import type { QmpClient } from './qmp.ts';

function vmSpec(disks: number, shares: number): VmSpec {
  return {
    id: 'a'.repeat(64),
    runtimeDir: '/run/box',
    identity: { uid: 1, gid: 1 },
    cpus: 1,
    memoryBytes: 2 ** 28,
    boot: { kernelPath: '/k', initrdPath: '/i', commandLine: [] },
    disks: Array.from({ length: disks }, (_, n): Disk => {
      return { path: `/d${n}`, serial: `layer-${n}`, readonly: n > 0 };
    }),
    nic: undefined,
    shares: Array.from({ length: shares }, (_, n) => {
      return { tag: `share-${n}`, path: `/s${n}`, readonly: false };
    }),
  };
}

it('attaches a disk by its descriptor, and locks only a writable one', () => {
  const [node, device, readonlyNode] = diskCommands(vmSpec(9, 0)).slice(-4);
  expect(readonlyNode).toEqual([
    'blockdev-add',
    {
      driver: 'raw',
      'node-name': 'disk8',
      'read-only': true,
      discard: 'ignore',
      file: { driver: 'file', filename: '/dev/fdset/10', locking: 'off' },
    },
  ]);
  expect(node).toEqual([
    'blockdev-add',
    {
      driver: 'raw',
      'node-name': 'disk0',
      'read-only': false,
      discard: 'unmap',
      file: { driver: 'file', filename: '/dev/fdset/2', locking: 'on' },
    },
  ]);
  expect(device).toEqual([
    'device_add',
    {
      driver: 'virtio-blk-pci',
      bus: 'rp1',
      addr: '0x0.0x0',
      multifunction: true,
      drive: 'disk0',
      id: 'disk0',
      serial: 'layer-0',
      werror: 'report',
      rerror: 'report',
    },
  ]);
});

it('attaches the functions of a slot in descending order, because function 0 activates the slot', () => {
  const places = diskCommands(vmSpec(10, 0))
    .filter(([name]) => name === 'device_add')
    .map(([, args]) => `${args['serial']} ${args['bus']} ${args['addr']} ${args['multifunction']}`);
  expect(places).toEqual([
    ...[7, 6, 5, 4, 3, 2, 1, 0].map((n) => `layer-${n} rp1 0x0.0x${n} true`),
    'layer-9 rp2 0x0.0x1 true',
    'layer-8 rp2 0x0.0x0 true',
  ]);
});

it('attaches the network card to a port of its own', () => {
  expect(nicCommands({ mac: '02:00:00:00:00:01', ports: [] }, '/run/box')).toEqual([
    [
      'netdev_add',
      {
        type: 'stream',
        id: 'net0',
        server: false,
        addr: { type: 'unix', path: '/run/box/passt.sock' },
      },
    ],
    [
      'device_add',
      {
        driver: 'virtio-net-pci',
        bus: 'rp0',
        addr: '0x0.0x0',
        multifunction: false,
        netdev: 'net0',
        id: 'nic0',
        mac: '02:00:00:00:00:01',
        romfile: '',
      },
    ],
  ]);
});

it('hands the tap device of a network card over before the card is attached', () => {
  const nic = { mac: '02:00:00:00:00:01', ports: [], tap: 7 };
  expect(nicCommands(nic, '/run/box').slice(0, 2)).toEqual([
    ['getfd', { fdname: 'net0' }, 7],
    ['netdev_add', { type: 'tap', id: 'net0', fd: 'net0' }],
  ]);
});

it('waits for the answer to a descriptor before it sends the next command', async () => {
  const sent: string[] = [];
  let answer = (): void => undefined;
  const monitor: Pick<QmpClient, 'execute'> = {
    execute: async (name, _args, schema, descriptor) => {
      sent.push(name);
      if (descriptor !== undefined) await new Promise<void>((resolve) => (answer = resolve));
      return schema.parse(undefined);
    },
  };
  const done = executeAll(monitor, [
    ['one', {}],
    ['getfd', {}, 7],
    ['three', {}],
    ['four', {}],
  ]);
  await Promise.resolve();
  expect(sent).toEqual(['one', 'getfd']);
  answer();
  await done;
  expect(sent).toEqual(['one', 'getfd', 'three', 'four']);
});

it('attaches shares to the ports after those of the disks', () => {
  expect(shareCommands(vmSpec(3, 1), ['/run/box/fs0.sock'])).toEqual([
    [
      'chardev-add',
      {
        id: 'share0',
        backend: {
          type: 'socket',
          data: { addr: { type: 'unix', data: { path: '/run/box/fs0.sock' } }, server: false },
        },
      },
    ],
    [
      'device_add',
      {
        driver: 'vhost-user-fs-pci',
        bus: 'rp2',
        addr: '0x0.0x0',
        multifunction: false,
        chardev: 'share0',
        id: 'share0',
        tag: 'share-0',
      },
    ],
  ]);
});

it('gives a microVM at least four hotplug ports, and enough for the largest box', () => {
  expect(rootPorts(vmSpec(2, 0))).toBe(4);
  expect(rootPorts(vmSpec(40, 16))).toBe(8);
  expect(rootPorts(vmSpec(57, 64))).toBe(17);
});

it('places the disks of a template in its slots, and all others in the slots after them', () => {
  expect(templateSlots().map(([serial, { bus, addr }]) => `${serial} ${bus} ${addr}`)).toEqual([
    'changes rp1 0x0.0x0',
    ...[0, 1, 2, 3, 4, 5, 6].map((n) => `layer-${n} rp1 0x0.0x${n + 1}`),
  ]);
  const places = extraSlots(vmSpec(9, 1));
  expect(places?.disks.map(([index, { bus, addr }]) => `${index} ${bus} ${addr}`)).toEqual([
    '8 rp2 0x0.0x1',
    '7 rp2 0x0.0x0',
  ]);
  expect(places?.shares.map(([index, { bus }]) => `${index} ${bus}`)).toEqual(['0 rp3']);
});

it('reports that a template has too few slots for the disks and shares', () => {
  expect(extraSlots(vmSpec(7 + 8, 24))).toBeDefined();
  expect(extraSlots(vmSpec(7 + 9, 24))).toBeUndefined();
});

it('a microVM has the ports that are asked for beside those of the devices it starts with', () => {
  expect(rootPorts({ ...vmSpec(2, 0), sparePorts: 12 })).toBe(14);
  expect(rootPorts({ ...vmSpec(2, 0), sparePorts: 1 })).toBe(4);
});
