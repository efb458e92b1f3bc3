import { expect, it } from 'vitest';
import * as z from 'zod';
import { loadedCard, savedDevices, TEMPLATE_MAC, templateDevices } from './template-devices.ts';

/** JSON values of an option of a command line. */
function values(args: readonly string[], option: string): Record<string, unknown>[] {
  return args.flatMap((arg, n) =>
    arg === option && args[n + 1]?.startsWith('{') === true ? [JSON.parse(args[n + 1] ?? '')] : [],
  );
}

const layer = { path: '/layer', serial: 'layer-1', readonly: true };
const changes = { path: '/changes', serial: 'changes', readonly: false };

it('creates the same devices from a template for every box', () => {
  const none = templateDevices({ disks: [] });
  const some = templateDevices({ disks: [layer, changes] });
  expect(values(some, '-device')).toEqual(values(none, '-device'));
  expect(values(none, '-device').map((device) => device['serial'] ?? device['mac'])).toEqual([
    'changes',
    ...[0, 1, 2, 3, 4, 5, 6].map((n) => `layer-${n}`),
  ]);
});

it('puts only the box’s disks behind the slots of a template, by their descriptors', () => {
  const nodes = values(templateDevices({ disks: [layer, changes] }), '-blockdev');
  const File = z.object({ driver: z.string(), filename: z.string().optional() });
  const files = nodes.map((node) => {
    const { driver, filename } = File.parse(node['file']);
    return `${node['node-name']} ${filename ?? driver}`;
  });
  expect(files).toEqual([
    'changes /dev/fdset/3',
    'layer-0 null-co',
    'layer-1 /dev/fdset/2',
    ...[2, 3, 4, 5, 6].map((n) => `layer-${n} null-co`),
  ]);
  expect(nodes.map((node) => node['read-only'])).toEqual([false, ...Array(7).fill(true)]);
});

it('gives the card the box’s own backend, and none where nothing takes its frames', () => {
  const [mac, place] = ['02:00:00:00:00:01', { driver: 'virtio-net-pci', bus: 'rp0' }];
  const card = { ...place, id: 'nic0', mac };
  expect(loadedCard({ mac, ports: [] }, '/run/a')).toMatchObject([
    ['netdev_add', { id: 'net0', type: 'stream', server: false }],
    ['device_add', { ...card, netdev: 'net0' }],
  ]);
  expect(loadedCard({ mac, ports: [], tap: 9 }, '/run/a')).toMatchObject([
    ['getfd', { fdname: 'net0' }, 9],
    ['netdev_add', { id: 'net0', type: 'tap', fd: 'net0' }],
    ['device_add', { ...card, netdev: 'net0' }],
  ]);
  const [bare] = loadedCard(undefined, '/run/a');
  expect(bare).toMatchObject(['device_add', { ...card, mac: TEMPLATE_MAC }]);
  expect(bare?.[1]).not.toHaveProperty('netdev');
});

it('saves a guest that announces no card after its resume, and asks the same of no other', () => {
  const saved = values(savedDevices({ disks: [] }), '-device').at(-1);
  expect(saved).toMatchObject({ driver: 'virtio-net-pci', bus: 'rp0', guest_announce: false });
  expect(saved).not.toHaveProperty('netdev');
  expect(templateDevices({ disks: [] }).join(' ')).not.toContain('virtio-net');
});

it('keeps the announcement timer of the network card, without which a guest’s reset ends QEMU', () => {
  const all = savedDevices({ disks: [] }).join(' ');
  expect(all).not.toContain('announce-rounds');
});
