import { mkdtemp, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { z } from 'zod';
import { A3sError } from '../../../errors.ts';
import { coverDisk } from './cover-disk.ts';

/** A fake QEMU with one disk, `disk1`, whose serial is that of a writable layer. */
class FakeMonitor {
  readonly commands: (readonly [string, Readonly<Record<string, unknown>>])[] = [];
  refuses: string | undefined;
  serial = 'changes';
  /** The disk's node once a command was refused. */
  nodeAfter = 'disk1';
  #node = 'disk1';

  async execute<T>(name: string, args: Readonly<Record<string, unknown>>, schema: z.ZodType<T>) {
    if (name === this.refuses) {
      this.#node = this.nodeAfter;
      throw new A3sError('vmm-failed', `QEMU refused ${name}`);
    }
    this.commands.push([name, args]);
    if (name === 'qom-get') return schema.parse(this.serial);
    if (name !== 'query-block') return schema.parse({});
    return schema.parse([
      { qdev: '/machine/peripheral/disk1/x', inserted: { ro: false, 'node-name': this.#node } },
    ]);
  }

  names(): string[] {
    return this.commands.map(([name]) => name).filter((name) => !/^q/.test(name));
  }
}

const never = new AbortController().signal;
let directory: string;
let monitor: FakeMonitor;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'cover-'));
  await writeFile(join(directory, 'layer'), '');
  monitor = new FakeMonitor();
});
afterEach(() => rm(directory, { recursive: true }));
const cover = (signal = never) => coverDisk(monitor, join(directory, 'layer'), signal);

it('puts a layer over the disk of a microVM that goes on', async () => {
  await cover();
  expect(monitor.names()).toEqual(['add-fd', 'blockdev-add', 'blockdev-snapshot']);
  const [, added] = monitor.commands.find(([name]) => name === 'blockdev-add') ?? [];
  expect(monitor.commands.at(-1)?.[1]).toEqual({ node: 'disk1', overlay: added?.['node-name'] });
});

it.each(['blockdev-add', 'blockdev-snapshot'])(
  'takes the layer away again where QEMU refuses %s',
  async (command) => {
    monitor.refuses = command;
    await expect(cover()).rejects.toMatchObject({ code: 'vmm-failed' });
    expect(monitor.names().slice(-2)).toEqual(['blockdev-del', 'remove-fd']);
    expect(await readdir(directory)).toEqual([]);
  },
);

it('keeps the file of a layer that the microVM may write to', async () => {
  monitor.refuses = 'blockdev-snapshot';
  monitor.nodeAfter = 'over';
  await expect(cover()).rejects.toMatchObject({ code: 'vmm-failed' });
  expect(await readdir(directory)).toEqual(['layer']);
});

it('leaves a microVM without a writable layer alone, and any once nobody waits', async () => {
  await expect(cover(AbortSignal.abort(new Error('gone')))).rejects.toThrow('gone');
  monitor.serial = 'layer-0';
  await expect(cover()).rejects.toMatchObject({ code: 'vmm-failed' });
  expect(monitor.names()).toEqual([]);
});
