import { describe, expect, it } from 'vitest';
import type * as z from 'zod';
import { A3sError } from '../../../errors.ts';
import { fixedCards, leadCard, leadNowhere } from './lead-card.ts';

const HUBS = ['hub0', 'sink0', 'hub1', 'sink1'];

/** A confidential VM with two cards, the first of which leads to a translator. */
class FakeMonitor {
  readonly backends = new Set(['net0', ...HUBS.slice(2)]);
  readonly passed: number[] = [];
  readonly used: string[] = [];
  failing: string | undefined;

  async execute<T>(
    command: string,
    args: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
    descriptor?: number,
  ): Promise<T> {
    if (descriptor !== undefined) this.passed.push(descriptor);
    this.used.push(command);
    return schema.parse(this.#answer(command, args));
  }

  #answer(command: string, { id, path, property }: Readonly<Record<string, unknown>>): unknown {
    const index = String(path).endsWith('nic0') ? 0 : 1;
    switch (command) {
      case 'qom-list':
        return ['disk0', 'nic0', 'nic1'].map((name) => ({ name, type: 'child<x>' }));
      case 'qom-get':
        if (property === 'mac') return `02:00:00:00:00:0${index === 0 ? 'A' : 'B'}`;
        return index === 0 ? 'net0' : 'hub1';
      case 'netdev_add':
        if (id === this.failing) throw new A3sError('vmm-failed', 'no');
        if (this.backends.has(String(id))) throw new A3sError('vmm-failed', 'is there already');
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

describe('a card that a confidential VM has for good', () => {
  const card = { mac: '02:00:00:00:00:0b', tap: 7 };

  it('leads a card to one tap device after the other, and attaches no device', async () => {
    const vm = new FakeMonitor();
    expect(await fixedCards(vm)).toEqual([
      { mac: '02:00:00:00:00:0a', redirectable: false },
      { mac: '02:00:00:00:00:0b', redirectable: true },
    ]);
    for (const tap of [7, 8]) {
      await leadCard(vm, 1, { ...card, tap });
      expect([...vm.backends]).toEqual(['net0', 'hub1', 'sink1', 'net1', 'uplink1']);
    }
    expect(vm.passed).toEqual([7, 8]);
    for (const _ of ['once', 'again']) await leadNowhere(vm, 1);
    expect([...vm.backends]).toEqual(['net0', 'hub1', 'sink1']);
    // Its own network ends with its translator.
    await leadNowhere(vm, 0);
    expect([...vm.backends]).toEqual(['hub1', 'sink1']);
    expect(vm.used).not.toContain('device_add');
    expect(vm.used).not.toContain('device_del');
  });

  it.each([
    ['a card that is on no hub', 0, '02:00:00:00:00:0a'],
    ['a card with another hardware address', 1, '02:00:00:00:00:0c'],
    ['a card that there is not', 2, '02:00:00:00:00:0b'],
  ])('refuses to lead %s', async (_, index, mac) => {
    const vm = new FakeMonitor();
    await expect(leadCard(vm, index, { mac, tap: 7 })).rejects.toMatchObject({ code: 'conflict' });
    expect([...vm.backends]).toEqual(['net0', 'hub1', 'sink1']);
    expect(vm.passed).toEqual([]);
  });

  it.each(['net1', 'uplink1'])('leads a card nowhere where %s is refused', async (failing) => {
    const vm = new FakeMonitor();
    vm.failing = failing;
    await expect(leadCard(vm, 1, card)).rejects.toMatchObject({ code: 'vmm-failed' });
    expect([...vm.backends]).toEqual(['net0', 'hub1', 'sink1']);
  });
});
