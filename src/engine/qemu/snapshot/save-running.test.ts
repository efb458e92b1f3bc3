import {
  type FileHandle,
  mkdtemp,
  open,
  readdir,
  rm,
  stat,
  truncate,
  writeFile,
} from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { z } from 'zod';
import { A3sError } from '../../../errors.ts';
import { endSaving, saveRunning } from './save-running.ts';

const MEBIBYTE = 2 ** 20;

/** A fake QEMU that answers, and records the commands that it gets. */
class FakeMonitor {
  readonly commands: string[] = [];
  readonly chardevs = new Set<string>();
  running = true;
  /** The status of the migration at each query. */
  progress = ['active', 'completed'];
  /** The command that is refused. */
  refuses: string | undefined;
  /** The size of the saved device state. */
  deviceBytes = 11;
  serials: Record<string, string> = { disk0: 'layer-0', disk1: 'changes' };
  readonly #directory: string;

  constructor(directory: string) {
    this.#directory = directory;
  }

  async execute<T>(name: string, args: Readonly<Record<string, unknown>>, schema: z.ZodType<T>) {
    this.commands.push(name);
    if (name === this.refuses) throw new A3sError('vmm-failed', `QEMU refused ${name}`);
    return schema.parse(await this.#answer(name, args));
  }

  async #answer(name: string, args: Readonly<Record<string, unknown>>): Promise<unknown> {
    switch (name) {
      case 'query-block':
        return Object.keys(this.serials).map((id) => ({
          qdev: `/machine/peripheral/${id}/virtio-backend`,
          inserted: { ro: this.serials[id]?.startsWith('layer') === true, 'node-name': id },
        }));
      case 'qom-get':
        return this.serials[String(args['path']).split('/')[3] ?? ''];
      case 'query-chardev':
        return [...this.chardevs].map((label) => ({ label }));
      case 'chardev-add':
        this.chardevs.add(String(args['id']));
        return {};
      case 'chardev-remove':
        this.chardevs.delete(String(args['id']));
        return {};
      case 'stop':
        this.running = false;
        return {};
      case 'cont':
        this.running = true;
        return {};
      case 'query-migrate':
        return { status: this.progress.length > 1 ? this.progress.shift() : this.progress[0] };
      case 'migrate_cancel':
        this.progress = ['cancelled'];
        return {};
      case 'migrate':
        await this.#save();
        return {};
      default:
        return {};
    }
  }

  async #save(): Promise<void> {
    const header = Buffer.from('5145564d00000003', 'hex');
    const devices = join(this.#directory, 'devices');
    await writeFile(devices, Buffer.concat([header, Buffer.from('dev')]));
    await truncate(devices, this.deviceBytes);
    const ram: FileHandle = await open(join(this.#directory, 'ram'), 'r+');
    const machine = Buffer.from('\x07\0\0\0\x02pc', 'latin1');
    const section = Buffer.from('\x01\0\0\0\x01\x03ram\0\0\0\0\0\0\0\x04', 'latin1');
    const numbers = Buffer.alloc(8 + 7 + 8 + 4 + 24);
    numbers.writeBigUInt64BE(BigInt(MEBIBYTE + 4), 0);
    numbers.write('\x06memory', 8, 'latin1');
    numbers.writeBigUInt64BE(BigInt(MEBIBYTE), 15);
    numbers.writeUInt32BE(1, 23);
    numbers.writeBigUInt64BE(4096n, 27);
    numbers.writeBigUInt64BE(BigInt(MEBIBYTE), 43);
    await ram.write(Buffer.concat([header, machine, section, numbers]), 0, undefined, 0);
    await ram.truncate(2 * MEBIBYTE);
    await ram.close();
  }
}

let directory: string;
let overlayPath: string;
let monitor: FakeMonitor;
const never = new AbortController().signal;
beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'save-'));
  overlayPath = join(directory, 'overlay');
  await writeFile(overlayPath, '');
  monitor = new FakeMonitor(directory);
});
afterEach(() => rm(directory, { recursive: true }));
const save = () => saveRunning(monitor, { directory, overlayPath }, never);

describe('saving a running microVM', () => {
  it('pauses the microVM while its disk is kept and its memory written, and resumes it', async () => {
    expect(await save()).toEqual({
      ...{ arrangement: 'boot', changesSerial: 'changes' },
      memory: { offset: MEBIBYTE, bytes: MEBIBYTE },
    });
    const still = monitor.commands.slice(
      monitor.commands.indexOf('stop'),
      monitor.commands.indexOf('cont'),
    );
    expect(still.slice(0, 4)).toEqual([
      ...['stop', 'blockdev-snapshot', 'xen-save-devices-state', 'migrate'],
    ]);
    expect([monitor.running, [...monitor.chardevs]]).toEqual([true, []]);
    expect((await readdir(directory)).sort()).toEqual(['overlay', 'ram', 'state']);
    expect((await stat(join(directory, 'ram'))).mode & 0o777).toBe(0o444);
  });

  it('leaves a microVM paused that was saved to end, and resumes one that was not saved', async () => {
    await saveRunning(monitor, { directory, overlayPath, ends: true }, never);
    expect([monitor.running, monitor.commands.includes('cont')]).toEqual([false, false]);
    monitor = new FakeMonitor(directory);
    await rm(join(directory, 'ram'));
    monitor.refuses = 'migrate';
    const failing = saveRunning(monitor, { directory, overlayPath, ends: true }, never);
    await expect(failing).rejects.toMatchObject({ code: 'vmm-failed' });
    expect(monitor.running).toBe(true);
  });

  it('resumes a microVM that was to end where what QEMU saved cannot be used', async () => {
    await writeFile(join(directory, 'state'), '');
    const failing = saveRunning(monitor, { directory, overlayPath, ends: true }, never);
    await expect(failing).rejects.toMatchObject({ code: 'EEXIST' });
    expect([monitor.running, [...monitor.chardevs]]).toEqual([true, []]);
  });

  it('finds the writable layer by its serial, whichever slot it is in', async () => {
    monitor.serials = { 'layer-0': 'layer-0', changes: 'changes', disk2: 'changes-kept' };
    expect(await save()).toMatchObject({ arrangement: 'template', changesSerial: 'changes-kept' });
  });

  it.each(['stop', 'blockdev-snapshot', 'xen-save-devices-state', 'migrate'])(
    'resumes the microVM when %s fails during a save',
    async (command) => {
      monitor.refuses = command;
      await expect(save()).rejects.toMatchObject({ code: 'vmm-failed' });
      expect([monitor.running, [...monitor.chardevs]]).toEqual([true, []]);
    },
  );

  it('resumes the microVM when its memory cannot be written or the save is aborted', async () => {
    monitor.progress = ['failed'];
    await expect(save()).rejects.toMatchObject({ code: 'vmm-failed' });
    expect(monitor.running).toBe(true);
    await rm(join(directory, 'ram'));
    await rm(join(directory, 'devices'));
    monitor.progress = ['active'];
    const gone = AbortSignal.abort(new A3sError('internal', 'nobody waits'));
    const abandoned = saveRunning(monitor, { directory, overlayPath }, gone);
    await expect(abandoned).rejects.toMatchObject({ code: 'internal' });
    expect([monitor.running, monitor.commands.includes('migrate_cancel')]).toEqual([true, true]);
  });

  it('limits how much device state it reads from QEMU', async () => {
    monitor.deviceBytes = 2 ** 40;
    await expect(save()).rejects.toMatchObject({ code: 'vmm-failed' });
    expect(monitor.running).toBe(true);
  });

  it('distinguishes a microVM paused for a save from one paused for another reason', async () => {
    monitor.running = false;
    await endSaving(monitor);
    expect(monitor.running).toBe(false);
    monitor.chardevs.add('saving');
    await endSaving(monitor);
    expect([monitor.running, [...monitor.chardevs]]).toEqual([true, []]);
  });
});
