import { beforeEach, expect, it } from 'vitest';
import type * as z from 'zod';
import { A3sError } from '../../../errors.ts';
import { growMemory } from './grow-memory.ts';

const MIB = 2 ** 20;

/** A VM of 512 MiB, with one place for memory. */
class FakeMonitor {
  readonly done: [string, Readonly<Record<string, unknown>>][] = [];
  share = false;
  plugged = 0;
  refusal: string | undefined;

  async execute<T>(
    command: string,
    args: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
  ): Promise<T> {
    return schema.parse(this.#answer(command, args));
  }

  #answer(command: string, args: Readonly<Record<string, unknown>>): unknown {
    switch (command) {
      case 'query-memory-size-summary':
        return { 'base-memory': 512 * MIB, 'plugged-memory': this.plugged };
      case 'query-cpus-fast':
        return [{ 'cpu-index': 0 }];
      case 'query-memory-devices':
        return this.plugged === 0 ? [] : [{ type: 'dimm', data: { id: 'dimm0' } }];
      case 'query-memdev':
        return [{ id: 'memory', share: this.share }];
      case 'device_add':
        if (this.refusal !== undefined) throw new A3sError('vmm-failed', this.refusal);
    }
    this.done.push([command, args]);
    return {};
  }
}

let monitor: FakeMonitor;
beforeEach(() => {
  monitor = new FakeMonitor();
});

it('attaches the missing memory in whole steps, and nothing where there is enough', async () => {
  await growMemory(monitor, 512 * MIB);
  expect(monitor.done).toEqual([]);
  await growMemory(monitor, 513 * MIB);
  expect(monitor.done).toMatchObject([
    ['object-add', { 'qom-type': 'memory-backend-ram', size: 128 * MIB, share: false }],
    ['device_add', { driver: 'pc-dimm', memdev: 'growth' }],
  ]);
});

it('shares the memory where file servers map what is there', async () => {
  monitor.share = true;
  await growMemory(monitor, 1024 * MIB);
  expect(monitor.done[0]?.[1]).toMatchObject({ 'qom-type': 'memory-backend-memfd', share: true });
});

it('refuses more memory where it was attached before, and attaches nothing', async () => {
  monitor.plugged = 128 * MIB;
  await growMemory(monitor, 640 * MIB);
  await expect(growMemory(monitor, 641 * MIB)).rejects.toMatchObject({ code: 'conflict' });
  expect(monitor.done).toEqual([]);
});

it.each([
  ['conflict', "QEMU refused device_add: memory hotplug is not enabled: missing 'slots'"],
  ['out-of-memory', 'QEMU refused device_add: not enough space, currently 0x0 in use'],
  ['vmm-failed', 'QEMU refused device_add: no'],
])('gives back what a refused device had: %s', async (code, refusal) => {
  monitor.refusal = refusal;
  await expect(growMemory(monitor, 1024 * MIB)).rejects.toMatchObject({ code });
  expect(monitor.done.at(-1)).toEqual(['object-del', { id: 'growth' }]);
});
