import { describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { A3sError } from '../../../errors.ts';
import { attachNic, detachNic } from './attach-nic.ts';

/** A VM with root ports, in which cards are. */
class FakeMonitor {
  readonly cards = new Map<string, string>();
  readonly backends = new Set<string>();
  readonly ports: string[];
  failure: A3sError | undefined;
  readonly passed: number[] = [];

  constructor(ports: string[]) {
    this.ports = ports;
  }

  async execute<T>(
    command: string,
    args: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
    descriptor?: number,
  ): Promise<T> {
    if (descriptor !== undefined) this.passed.push(descriptor);
    return schema.parse(this.#answer(command, args));
  }

  #answer(command: string, { id, bus }: Readonly<Record<string, unknown>>): unknown {
    switch (command) {
      case 'qom-list':
        return [...this.ports, ...this.cards.keys()].map((name) => ({ name, type: 'child<x>' }));
      case 'query-pci': {
        const used = new Set(this.cards.values());
        const devices = this.ports.map((qdev_id) => ({
          qdev_id,
          pci_bridge: { bus: {}, ...(used.has(qdev_id) ? { devices: [{}] } : {}) },
        }));
        return [{ bus: 0, devices: [{ qdev_id: '' }, ...devices] }];
      }
      case 'device_add':
        if (this.failure !== undefined) throw this.failure;
        this.cards.set(String(id), String(bus));
        return {};
      case 'device_del':
        this.cards.delete(String(id));
        return {};
      case 'netdev_add':
        this.backends.add(String(id));
        return {};
      case 'netdev_del':
        if (!this.backends.delete(String(id))) throw new A3sError('vmm-failed', 'not found');
        return {};
      default:
        return {};
    }
  }
}

describe('a card of a VM that runs', () => {
  const card = { mac: '02:00:00:00:00:01', uplink: { tap: 7 } };

  it('attaches the first card at the port of the card that a VM is launched with', async () => {
    const vm = new FakeMonitor(['rp1', 'rp0', 'rp2']);
    await attachNic(vm, 0, { mac: card.mac, uplink: { socket: '/run/a/passt.sock' } });
    expect([[...vm.cards], [...vm.backends], vm.passed]).toEqual([[['nic0', 'rp0']], ['net0'], []]);
    await attachNic(vm, 0, { mac: card.mac, uplink: undefined });
    expect([[...vm.cards], [...vm.backends]]).toEqual([[['nic0', 'rp0']], []]);
  });

  it('attaches a network card at a free port, and detaches it with its backend', async () => {
    const vm = new FakeMonitor(['rp0', 'rp1', 'rp2']);
    await attachNic(vm, 1, card);
    expect([...vm.cards]).toEqual([['nic1', 'rp1']]);
    expect([[...vm.backends], vm.passed]).toEqual([['net1'], [7]]);
    await detachNic(vm, 1);
    expect([...vm.cards.keys(), ...vm.backends]).toEqual([]);
  });

  it('takes the place of one that was left behind', async () => {
    const vm = new FakeMonitor(['rp0']);
    await attachNic(vm, 1, card);
    await attachNic(vm, 1, card);
    expect([...vm.cards]).toEqual([['nic1', 'rp0']]);
  });

  it('refuses a network card where no port is free, and leaves no backend where QEMU refuses it', async () => {
    const vm = new FakeMonitor(['rp0']);
    vm.cards.set('nic0', 'rp0');
    await expect(attachNic(vm, 1, card)).rejects.toMatchObject({ code: 'conflict' });
    await detachNic(vm, 0);
    vm.failure = new A3sError('vmm-failed', 'no');
    await expect(attachNic(vm, 1, card)).rejects.toBe(vm.failure);
    expect([...vm.backends]).toEqual([]);
  });
});
