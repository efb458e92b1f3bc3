import { expect, it } from 'vitest';
import type * as z from 'zod';
import { A3sError } from '../../../errors.ts';
import { attachShares } from './attach-shares.ts';

/** A VM with root ports, of which the first has a device. */
class FakeMonitor {
  readonly commands: [string, Readonly<Record<string, unknown>>][] = [];
  failure: A3sError | undefined;

  async execute<T>(
    command: string,
    args: Readonly<Record<string, unknown>>,
    schema: z.ZodType<T>,
  ): Promise<T> {
    if (command !== 'query-pci') {
      this.commands.push([command, args]);
      if (command === 'device_add' && this.failure !== undefined) throw this.failure;
      return schema.parse({});
    }
    const devices = ['rp0', 'rp1', 'rp2'].map((qdev_id, index) => ({
      qdev_id,
      pci_bridge: { ...(index === 0 ? { devices: [{}] } : {}) },
    }));
    return schema.parse([{ devices }]);
  }
}

const shares = (count: number) =>
  Array.from({ length: count }, (_, n) => ({ tag: `bind-${n}`, path: '/d', readonly: true }));

it('attaches shares to free root ports, function 0 of each last', async () => {
  const monitor = new FakeMonitor();
  await attachShares(monitor, shares(9), '/run/box');
  const places = monitor.commands.flatMap(([name, { bus, addr, tag }]) =>
    name === 'device_add' ? [`${bus} ${addr} ${tag}`] : [],
  );
  expect([places.length, places[0], places[7], places[8]]).toEqual([
    ...[9, 'rp1 0x0.0x7 bind-7', 'rp1 0x0.0x0 bind-0', 'rp2 0x0.0x0 bind-8'],
  ]);
  const [, backend] = monitor.commands.find(([name]) => name === 'chardev-add') ?? [];
  expect(backend).toMatchObject({
    backend: { data: { addr: { data: { path: '/run/box/fs7.sock' } }, server: false } },
  });
});

it('refuses more shares than the free ports take, and passes QEMU’s refusal on', async () => {
  const monitor = new FakeMonitor();
  await expect(attachShares(monitor, shares(17), '/run/box')).rejects.toMatchObject({
    code: 'conflict',
    message: 'Cannot attach 17 shares: the microVM has no place for them',
  });
  expect(monitor.commands).toEqual([]);
  monitor.failure = new A3sError('vmm-failed', 'no');
  await expect(attachShares(monitor, shares(1), '/run/box')).rejects.toBe(monitor.failure);
});
