import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type * as z from 'zod';
import { A3sError } from '../../../errors.ts';
import { attachDiskSet, detachDiskSet } from './attach-disk-set.ts';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-disk-set-'));
  for (const name of ['layer', 'changes', 'below']) writeFileSync(join(directory, name), name);
});
afterEach(() => rmSync(directory, { recursive: true }));

const file = (name: string): string => join(directory, name);
const layer = (n: number) => ({ path: file('layer'), serial: `c1-l${n}`, readonly: true });

/** A VM with root ports. Its guest gives a whole port up when any of its functions is detached. */
class FakeMonitor {
  readonly ports = ['rp0', 'rp1', 'rp2'];
  /** Where each device is. */
  readonly devices = new Map<string, string>([['nic0', 'rp0']]);
  readonly nodes: string[] = ['disk0'];
  readonly sets = new Set<number>();
  readonly log: string[] = [];
  /** How often a file is in use still. */
  busy = 0;
  /** A device that QEMU refuses. */
  refused: string | undefined;

  async execute<T>(
    command: string,
    args: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
    descriptor?: number,
  ): Promise<T> {
    return schema.parse(this.#answer(command, args, descriptor));
  }

  #answer(command: string, args: Readonly<Record<string, unknown>>, fd?: number): unknown {
    const node = String(args['node-name']);
    const id = String(args['id']);
    switch (command) {
      case 'qom-list':
        return [...this.ports, ...this.devices.keys()].map((name) => ({ name }));
      case 'query-pci': {
        const used = new Set(this.devices.values());
        const devices = this.ports.map((qdev_id) => ({
          qdev_id,
          pci_bridge: used.has(qdev_id) ? { devices: [{}] } : {},
        }));
        return [{ devices }];
      }
      case 'query-named-block-nodes':
        return this.nodes.map((name) => ({ 'node-name': name }));
      case 'add-fd':
        expect(fd).toBeGreaterThan(2);
        this.sets.add(Number(args['fdset-id']));
        return {};
      case 'remove-fd':
        this.sets.delete(Number(args['fdset-id']));
        return {};
      case 'blockdev-add':
        this.nodes.push(node);
        return {};
      case 'blockdev-del':
        if (this.busy-- > 0) throw new A3sError('vmm-failed', 'Node is in use');
        this.log.push(`del ${node}`);
        this.nodes.splice(this.nodes.indexOf(node), 1);
        return {};
      case 'device_add':
        if (id === this.refused) throw new A3sError('vmm-failed', 'no');
        this.log.push(`${args['serial']} at ${args['bus']} ${args['addr']}`);
        this.devices.set(id, String(args['bus']));
        return {};
      case 'device_del': {
        const port = this.devices.get(id);
        if (port === undefined) throw new A3sError('vmm-failed', 'no such device');
        for (const [other, at] of this.devices) if (at === port) this.devices.delete(other);
        return {};
      }
      default:
        throw new Error(command);
    }
  }
}

it('attaches disks at ports that are free, and keeps no descriptor that is not used', async () => {
  const vm = new FakeMonitor();
  const changes = { path: file('changes'), serial: 'c1-changes', readonly: false };
  await attachDiskSet(vm, 'c1', [layer(0), { ...changes, backing: [file('below')] }]);
  expect(vm.log).toEqual(['c1-changes at rp1 0x0.0x1', 'c1-l0 at rp1 0x0.0x0']);
  expect(vm.nodes).toEqual(['disk0', 'set-c1-1-0', 'set-c1-1', 'set-c1-0']);
  expect(vm.sets.size).toBe(0);
});

it('detaches the disks of a name and no others, an image before what lies below it', async () => {
  const vm = new FakeMonitor();
  const backing = [file('below'), file('below')];
  await attachDiskSet(vm, 'c1', [{ ...layer(0), readonly: false, backing }]);
  await attachDiskSet(vm, 'c10', [layer(1)]);
  vm.log.length = 0;
  vm.busy = 3;
  await detachDiskSet(vm, 'c1');
  expect(vm.log).toEqual(['del set-c1-0', 'del set-c1-0-1', 'del set-c1-0-0']);
  expect([...vm.devices.keys()]).toEqual(['nic0', 'set-c10-0']);
  await detachDiskSet(vm, 'c1');
  expect(vm.nodes).toEqual(['disk0', 'set-c10-0']);
});

it('fills a port with eight disks, and takes the place of disks that were left behind', async () => {
  const vm = new FakeMonitor();
  const many = Array.from({ length: 9 }, (_, n) => layer(n));
  await attachDiskSet(vm, 'c1', many);
  await attachDiskSet(vm, 'c1', many);
  expect(vm.log.slice(-9)).toEqual([
    ...[7, 6, 5, 4, 3, 2, 1, 0].map((n) => `c1-l${n} at rp1 0x0.0x${n}`),
    'c1-l8 at rp2 0x0.0x0',
  ]);
  await expect(attachDiskSet(vm, 'c2', [layer(0)])).rejects.toMatchObject({ code: 'conflict' });
  await detachDiskSet(vm, 'c1');
  await attachDiskSet(vm, 'c2', [layer(0)]);
});

it('leaves nothing behind of disks that cannot be attached', async () => {
  const vm = new FakeMonitor();
  vm.refused = 'set-c1-0';
  await expect(attachDiskSet(vm, 'c1', [layer(0), layer(1)])).rejects.toMatchObject({
    code: 'vmm-failed',
  });
  const missing = { ...layer(1), path: file('missing') };
  await expect(attachDiskSet(vm, 'c2', [layer(0), missing])).rejects.toMatchObject({
    code: 'state-unusable',
  });
  expect([...vm.devices.keys()]).toEqual(['nic0']);
  expect([vm.nodes, vm.sets.size]).toEqual([['disk0'], 0]);
  for (const name of ['', 'a-b', 'A', 'a'.repeat(17)]) {
    await expect(attachDiskSet(vm, name, [])).rejects.toMatchObject({ code: 'invalid-argument' });
  }
});

it('attaches disks of a confidential microVM once, by devices that share little of its memory', async () => {
  const monitor = new FakeMonitor();
  const added: unknown[] = [];
  const execute = monitor.execute.bind(monitor);
  monitor.execute = (command, args, ...rest) => {
    if (command === 'device_add') added.push(args);
    return execute(command, args, ...rest);
  };
  await attachDiskSet(monitor, 'c1', [layer(0), layer(1)], true);
  const before = [...monitor.log];
  await attachDiskSet(monitor, 'c1', [layer(0), layer(1)], true);
  expect(monitor.log).toEqual(before);
  for (const device of added) {
    expect(device).toMatchObject({ 'disable-legacy': 'on', iommu_platform: true });
  }
  expect(added).toHaveLength(2);
  const three = [layer(0), layer(1), layer(2)];
  await expect(attachDiskSet(monitor, 'c1', three, true)).rejects.toMatchObject({
    code: 'conflict',
  });
});
