import {
  closeSync,
  fstatSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeHost } from '../engine/testing/fake.ts';
import { A3sError } from '../errors.ts';
import { PROTOCOL } from '../guest/protocol.ts';
import type { FakeAgentOptions } from '../guest/testing/fake-agent-options.ts';
import { BLANK_DISK_BYTES } from './blank-disk.ts';
import { DAY, MEBIBYTE, onlyKey, StoreHome, untilIdle, warm } from './testing/store-home.ts';

let home: StoreHome;

beforeEach(() => {
  home = new StoreHome();
});
afterEach(() => home.remove());

describe('a usable template', () => {
  it('gives a start the RAM, the devices and the disk of the prepared microVM', async () => {
    const store = await home.openStore();
    expect(await warm(store)).toEqual(['1 waiting', '1 making', '1 ready']);
    using taken = await store.take(home.shape());
    expect(taken).toBeDefined();
    if (taken === undefined) return;
    const made = home.host.templates[0]?.id ?? '';
    expect(taken.template).toMatchObject({
      key: onlyKey(store),
      shape: home.shape(),
      memoryBytes: 16 * MEBIBYTE,
    });
    expect(taken.protocol).toBe(PROTOCOL.maximum);
    const ram = Buffer.alloc(16 * MEBIBYTE);
    expect(readSync(taken.template.ram, ram, 0, ram.length, 0)).toBe(ram.length);
    expect(ram.subarray(8 * MEBIBYTE, 8 * MEBIBYTE + 7 + made.length).toString()).toBe(
      `RAM of ${made}`,
    );
    expect(readFileSync(taken.template.devicePath, 'utf8')).toBe(`devices of ${made}`);
    const disk = join(home.root, 'disk');
    await taken.writeChanges(disk, { uid: 0x7a35_0007, gid: 0x7a35_0007 });
    const found = statSync(disk);
    expect(found.size).toBe(BLANK_DISK_BYTES);
    expect(found.mode & 0o777).toBe(0o600);
    expect(found.uid).toBe(process.geteuid?.() === 0 ? 0x7a35_0007 : process.geteuid?.());
    expect(found.blocks * 512).toBeLessThan(8 * MEBIBYTE);
    expect(headOf(disk, 75)).toBe(`changes of ${made}`);
    // The magic number of ext4, which the fake guest did not overwrite.
    expect(headOf(disk, 2, 1024 + 56)).toBe('S\xef');
  });

  it('gives a start RAM that no one can change, not even through its descriptor', async () => {
    const store = await home.openStore();
    await warm(store);
    using taken = await store.take(home.shape());
    const ram = taken?.template.ram ?? -1;
    expect(() => writeSync(ram, 'x', 0)).toThrow(/EBADF/);
    // Root may open the file for writing, but cannot write to sealed memory.
    const change = (): void => {
      const fd = openSync(`/proc/self/fd/${ram}`, 'r+');
      try {
        writeSync(fd, 'x', 0);
      } finally {
        closeSync(fd);
      }
    };
    expect(change).toThrow(process.geteuid?.() === 0 ? /EPERM/ : /EACCES/);
    expect(fstatSync(ram).mode & 0o777).toBe(0o444);
  });

  it('finds the template of an earlier server, and reads it once', async () => {
    await warm(await home.openStore());
    const store = await home.openStore();
    expect(store.list()).toMatchObject([{ cpus: 1, state: 'on disk', uses: 0 }]);
    const [first, second] = await Promise.all([store.take(home.shape()), store.take(home.shape())]);
    expect(first?.template.ram).toBe(second?.template.ram);
    expect(store.list()).toMatchObject([{ state: 'in use', uses: 2 }]);
    first?.release();
    first?.release();
    expect(store.list()).toMatchObject([{ state: 'in use' }]);
    second?.release();
    expect(store.list()).toMatchObject([{ state: 'loaded' }]);
    expect(home.host.templates).toHaveLength(1);
  });

  it('keeps the files of a template private, and shows what it was made from', async () => {
    const store = await home.openStore();
    await warm(store);
    const key = onlyKey(store);
    const directory = join(home.root, 'templates', key);
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    expect(readdirSync(directory).sort()).toEqual(['changes', 'device', 'ram', 'template.json']);
    for (const name of readdirSync(directory)) {
      expect(statSync(join(directory, name)).mode & 0o777).toBe(0o600);
      expect(statSync(join(directory, name)).uid).toBe(process.geteuid?.());
    }
    const details = store.inspect(key.slice(0, 12));
    expect(details).toMatchObject({ key, protocol: PROTOCOL.maximum, cpus: 1 });
    expect(details.inputs).toMatchObject({ cpus: '1', 'engine: engine': 'fake' });
    expect(details.files.map(({ name }) => name).sort()).toEqual(['changes', 'device', 'ram']);
    expect(Date.parse(details.expiresAt ?? '') - Date.parse(details.createdAt)).toBe(DAY);
  });

  it('uses a template only for its own shape and boot set', async () => {
    const store = await home.openStore();
    await warm(store, [1, 2, 1]);
    expect(store.list().map(({ cpus }) => cpus)).toEqual([2, 1]);
    expect(await store.take(home.shape(3))).toBeUndefined();
    expect(await store.take(home.shape(1, 'kernel-2'))).toBeUndefined();
    expect(home.actions()).toEqual(['create', 'create', 'miss', 'miss']);
  });
});

describe('a missing template', () => {
  it('makes a missing template once, in the background after a boot', async () => {
    const store = await home.openStore();
    expect(await store.take(home.shape())).toBeUndefined();
    store.booted(home.shape());
    store.booted(home.shape());
    await home.event('create');
    using taken = await store.take(home.shape());
    expect(taken).toBeDefined();
    store.booted(home.shape());
    expect(home.host.templates).toHaveLength(1);
    expect(home.left()).toEqual([onlyKey(store)]);
  });

  it('makes one template at a time, and waits for starts of boxes', async () => {
    let quiet = (): void => undefined;
    const started = new Promise<void>((resolve) => {
      quiet = resolve;
    });
    const store = await home.openStore({ quiet: () => started });
    const warming = warm(store, [1, 2]);
    await expect.poll(() => store.list()).toMatchObject([{ state: 'making', cpus: 1 }]);
    expect(home.host.templates).toHaveLength(0);
    const { key } = store.list()[0] ?? { key: '' };
    await expect(store.remove(key)).rejects.toMatchObject({ code: 'conflict' });
    quiet();
    await warming;
    expect(home.host.templates).toHaveLength(2);
  });

  it('leaves nothing of a template that cannot be made, and does not retry at every boot', async () => {
    const store = await home.openStore();
    home.host.failNextTemplate(new A3sError('vmm-failed', 'no'));
    await expect(warm(store)).rejects.toMatchObject({ code: 'vmm-failed' });
    expect(home.left()).toEqual([]);
    expect(home.host.running).toEqual([]);
    expect(home.events).toMatchObject([
      { action: 'fail', attributes: { cpus: '1', reason: 'no' } },
    ]);
    store.booted(home.shape());
    await untilIdle(store);
    expect(home.host.templates).toHaveLength(1);
    home.time.steady += 30_000;
    store.booted(home.shape());
    await home.event('create');
  });

  it('never makes a template from a boot set whose agent cannot start from one', async () => {
    home.agentOptions = { protocol: { minimum: 1, maximum: 1 } };
    const store = await home.openStore();
    store.booted(home.shape());
    await home.event('fail');
    home.time.steady += DAY;
    store.booted(home.shape());
    await untilIdle(store);
    await expect(warm(store)).rejects.toMatchObject({ code: 'unsupported-option' });
    expect(home.host.templates).toHaveLength(1);
    expect(home.left()).toEqual([]);
  });

  it('makes no template where the engine supports none', async () => {
    const store = await home.openStore();
    home.engine.templateInputs = async () => Promise.reject(new Error('not so'));
    expect(await store.take(home.shape())).toBeUndefined();
    Object.assign(home.engine, { templateInputs: async () => undefined });
    expect(await store.take(home.shape())).toBeUndefined();
    await expect(warm(store)).rejects.toMatchObject({ code: 'unsupported-option' });
  });

  it('aborts the making of a template when the server stops', async () => {
    const store = await home.openStore();
    home.agentOptions = { silent: true } as FakeAgentOptions;
    const stuck = new FakeHost((vm) => {
      queueMicrotask(() => void store.close());
      void vm;
      return () => undefined;
    });
    home.engine.makeTemplate = (request, signal) => stuck.makeTemplate(request, signal);
    await expect(warm(store)).rejects.toMatchObject({ message: 'The server is stopping' });
    expect(home.left()).toEqual([]);
    expect(home.events).toEqual([]);
  });

  it('removes what a killed server left of an unfinished template', async () => {
    const id = 'c'.repeat(64);
    const work = join(home.root, 'templates', `.making-${id}`);
    mkdirSync(work, { mode: 0o700 });
    writeFileSync(join(work, 'ram'), 'half');
    mkdirSync(join(home.root, 'templates', '.gone-1'));
    mkdirSync(join(home.root, 'run', id.slice(0, 12)));
    await home.openStore();
    expect(home.host.sweeps).toEqual([id]);
    expect(home.left()).toEqual([]);
  });
});

it('keeps the templates of two homes apart', async () => {
  const store = await home.openStore();
  const other = mkdtempSync(join(tmpdir(), 'a3s-tpl-'));
  try {
    mkdirSync(join(other, 'templates'), { mode: 0o700 });
    const second = await home.openStore({ directory: join(other, 'templates') });
    await Promise.all([warm(store), warm(second)]);
    expect(home.host.templates).toHaveLength(2);
    expect(onlyKey(store)).toBe(onlyKey(second));
    await store.remove(onlyKey(store));
    using taken = await second.take(home.shape());
    expect(taken).toBeDefined();
  } finally {
    rmSync(other, { recursive: true, force: true });
  }
});

function headOf(path: string, length: number, position = 0): string {
  const fd = openSync(path, 'r');
  const bytes = Buffer.alloc(length);
  readSync(fd, bytes, 0, length, position);
  closeSync(fd);
  return bytes.toString('latin1');
}
