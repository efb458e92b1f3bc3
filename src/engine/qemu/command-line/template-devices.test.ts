import { expect, it } from 'vitest';
import * as z from 'zod';
import { directCommands, TEMPLATE_MAC, templateDevices } from './template-devices.ts';

/** JSON values of an option of a command line. */
function values(args: readonly string[], option: string): Record<string, unknown>[] {
  return args.flatMap((arg, n) =>
    arg === option && args[n + 1]?.startsWith('{') === true ? [JSON.parse(args[n + 1] ?? '')] : [],
  );
}

const layer = { path: '/layer', serial: 'layer-1', readonly: true };
const changes = { path: '/changes', serial: 'changes', readonly: false };

it('creates the same devices from a template for every box', () => {
  const none = templateDevices({ disks: [], nic: undefined });
  const some = templateDevices({ disks: [layer, changes], nic: undefined });
  expect(values(some, '-device')).toEqual(values(none, '-device'));
  expect(values(none, '-device').map((device) => device['serial'] ?? device['mac'])).toEqual([
    TEMPLATE_MAC,
    'changes',
    ...[0, 1, 2, 3, 4, 5, 6].map((n) => `layer-${n}`),
  ]);
});

it('puts only the box’s disks behind the slots of a template, by their descriptors', () => {
  const nodes = values(templateDevices({ disks: [layer, changes], nic: undefined }), '-blockdev');
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

it('puts the network card on a hub, with a sink that drops every frame unless an uplink comes', () => {
  const tap = { mac: '02:00:00:00:00:01', ports: [], tap: 9 };
  const pooled = { mac: '02:00:00:00:00:01', ports: [], redirectable: true };
  const ids = (args: readonly string[]): unknown[] =>
    values(args, '-netdev').map(({ id, hubid }) => [id, hubid]);
  expect(ids(templateDevices({ disks: [], nic: undefined }))).toEqual([
    ['net0', 0],
    ['sink', 0],
  ]);
  expect(ids(templateDevices({ disks: [], nic: tap }))).toEqual([['net0', 0]]);
  expect(ids(templateDevices({ disks: [], nic: pooled }))).toEqual([['net0', 0]]);
});

it('gives the card passt as its own backend, since a hub swaps frames while passt’s socket is full', () => {
  const nic = { mac: '02:00:00:00:00:01', ports: [] };
  expect(templateDevices({ disks: [], nic }).join(' ')).not.toMatch(/hubport|virtio-net/);
  expect(directCommands('/run/a', TEMPLATE_MAC)).toMatchObject([
    ['netdev_add', { id: 'net0', type: 'stream', server: false }],
    ['device_add', { driver: 'virtio-net-pci', netdev: 'net0', bus: 'rp0', mac: TEMPLATE_MAC }],
  ]);
});

it('keeps the announcement timer of the network card, without which a guest’s reset ends QEMU', () => {
  const all = templateDevices({ disks: [], nic: undefined }).join(' ');
  expect(all).not.toContain('announce-rounds');
});
