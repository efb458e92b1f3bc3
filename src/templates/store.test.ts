import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fstatSync,
  linkSync,
  mkdirSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  statSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeEngine, FakeHost } from '../engine/testing/fake.ts';
import { A3sError } from '../errors.ts';
import { PROTOCOL } from '../guest/protocol.ts';
import { FakeAgent, type FakeAgentOptions } from '../guest/testing/fake-agent.ts';
import { BLANK_DISK_BYTES } from './blank-disk.ts';
import type { TemplateStoreOptions } from './options.ts';
import { TemplateStore } from './store.ts';

const HOUR = 3_600_000;
const DAY = 24 * HOUR;
const MEBIBYTE = 2 ** 20;

let root: string;
let agentOptions: FakeAgentOptions;
let host: FakeHost;
let engine: FakeEngine;
let kernel: string;
let used: Set<string>;
let pinned: string[];
let events: { action: string; key: string; attributes: Readonly<Record<string, string>> }[];
let time: { wall: number; steady: number };
let stores: TemplateStore[];
let limits: TemplateStoreOptions['limits'];

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-tpl-'));
  mkdirSync(join(root, 'templates'), { mode: 0o700 });
  mkdirSync(join(root, 'run'), { mode: 0o700 });
  agentOptions = {};
  host = new FakeHost((vm) => {
    const agent = new FakeAgent(agentOptions);
    void agent.poweredOff.then(() => vm.poweroff());
    return (stream) => agent.serve(stream);
  });
  engine = new FakeEngine(host);
  kernel = 'kernel-1';
  used = new Set();
  pinned = [];
  events = [];
  time = { wall: Date.now(), steady: 0 };
  stores = [];
  limits = { max: 8, maxAgeMs: DAY, memoryBytes: 1024 * MEBIBYTE };
});
afterEach(async () => {
  for (const store of stores) await store.close();
  rmSync(root, { recursive: true, force: true });
});

async function openStore(more: Partial<TemplateStoreOptions> = {}): Promise<TemplateStore> {
  const store = new TemplateStore({
    directory: join(root, 'templates'),
    runtimeDir: join(root, 'run'),
    engine,
    boot: { current: async () => kernel, open: async (id) => boot(id) },
    bootMs: 5000,
    limits,
    inUse: () => used,
    pinned: () => pinned,
    quiet: async () => undefined,
    tell: (action, key, attributes) => events.push({ action, key, attributes }),
    log: { info: () => undefined, error: () => undefined },
    clock: { wall: () => time.wall, steady: () => time.steady },
    ...more,
  });
  stores.push(store);
  await store.open();
  return store;
}

function boot(id: string) {
  return { kernelPath: `/boot/${id}`, initrdPath: '/boot/initrd', commandLine: ['quiet'] };
}

function shape(cpus = 1, id = kernel) {
  return { cpus, boot: boot(id) };
}

async function warm(store: TemplateStore, cpus: readonly number[] = [1]): Promise<string[]> {
  const steps: string[] = [];
  const say = ({ cpus, step }: { cpus: number; step: string }): unknown =>
    steps.push(`${cpus} ${step}`);
  await store.warm(cpus, say, new AbortController().signal);
  return steps;
}

function actions(): string[] {
  return events.map(({ action }) => action);
}

/** Waits for background work, whose end is reported only by an event. */
async function event(action: string, count = 1): Promise<void> {
  await expect
    .poll(() => actions().filter((each) => each === action).length, { timeout: 10_000 })
    .toBe(count);
}

function onlyKey(store: TemplateStore): string {
  const [only, ...more] = store.list();
  expect(more).toEqual([]);
  return only?.key ?? '';
}

function left(): string[] {
  return [...readdirSync(join(root, 'templates')), ...readdirSync(join(root, 'run'))];
}

describe('a usable template', () => {
  it('lends the RAM, the devices and the disk of the prepared microVM', async () => {
    const store = await openStore();
    expect(await warm(store)).toEqual(['1 waiting', '1 making', '1 ready']);
    using taken = await store.take(shape());
    expect(taken).toBeDefined();
    if (taken === undefined) return;
    const made = host.templates[0]?.id ?? '';
    expect(taken.template).toMatchObject({
      key: onlyKey(store),
      shape: shape(),
      memoryBytes: 16 * MEBIBYTE,
    });
    expect(taken.protocol).toBe(PROTOCOL.maximum);
    const ram = Buffer.alloc(16 * MEBIBYTE);
    expect(readSync(taken.template.ram, ram, 0, ram.length, 0)).toBe(ram.length);
    expect(ram.subarray(8 * MEBIBYTE, 8 * MEBIBYTE + 7 + made.length).toString()).toBe(
      `RAM of ${made}`,
    );
    expect(readFileSync(taken.template.devicePath, 'utf8')).toBe(`devices of ${made}`);
    const disk = join(root, 'disk');
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

  it('lends RAM that no one can change, not even through its descriptor', async () => {
    const store = await openStore();
    await warm(store);
    using taken = await store.take(shape());
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
    await warm(await openStore());
    const store = await openStore();
    expect(store.list()).toMatchObject([{ cpus: 1, state: 'on disk', uses: 0 }]);
    const [first, second] = await Promise.all([store.take(shape()), store.take(shape())]);
    expect(first?.template.ram).toBe(second?.template.ram);
    expect(store.list()).toMatchObject([{ state: 'in use', uses: 2 }]);
    first?.release();
    first?.release();
    expect(store.list()).toMatchObject([{ state: 'in use' }]);
    second?.release();
    expect(store.list()).toMatchObject([{ state: 'loaded' }]);
    expect(host.templates).toHaveLength(1);
  });

  it('keeps the files of a template private, and shows what it was made from', async () => {
    const store = await openStore();
    await warm(store);
    const key = onlyKey(store);
    const directory = join(root, 'templates', key);
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
    const store = await openStore();
    await warm(store, [1, 2, 1]);
    expect(store.list().map(({ cpus }) => cpus)).toEqual([2, 1]);
    expect(await store.take(shape(3))).toBeUndefined();
    expect(await store.take(shape(1, 'kernel-2'))).toBeUndefined();
    expect(actions()).toEqual(['create', 'create', 'miss', 'miss']);
  });
});

describe('a missing template', () => {
  it('makes a missing template once, in the background after a boot', async () => {
    const store = await openStore();
    expect(await store.take(shape())).toBeUndefined();
    store.booted(shape());
    store.booted(shape());
    await event('create');
    using taken = await store.take(shape());
    expect(taken).toBeDefined();
    store.booted(shape());
    expect(host.templates).toHaveLength(1);
    expect(left()).toEqual([onlyKey(store)]);
  });

  it('makes one template at a time, and waits for starts of boxes', async () => {
    let quiet = (): void => undefined;
    const started = new Promise<void>((resolve) => {
      quiet = resolve;
    });
    const store = await openStore({ quiet: () => started });
    const warming = warm(store, [1, 2]);
    await expect.poll(() => store.list()).toMatchObject([{ state: 'making', cpus: 1 }]);
    expect(host.templates).toHaveLength(0);
    const { key } = store.list()[0] ?? { key: '' };
    await expect(store.remove(key)).rejects.toMatchObject({ code: 'conflict' });
    quiet();
    await warming;
    expect(host.templates).toHaveLength(2);
  });

  it('leaves nothing of a template that cannot be made, and does not retry at every boot', async () => {
    const store = await openStore();
    host.failNextTemplate(new A3sError('vmm-failed', 'no'));
    await expect(warm(store)).rejects.toMatchObject({ code: 'vmm-failed' });
    expect(left()).toEqual([]);
    expect(host.running).toEqual([]);
    expect(events).toMatchObject([{ action: 'fail', attributes: { cpus: '1', reason: 'no' } }]);
    store.booted(shape());
    await untilIdle(store);
    expect(host.templates).toHaveLength(1);
    time.steady += 30_000;
    store.booted(shape());
    await event('create');
  });

  it('never makes a template from a boot set whose agent does not support copies', async () => {
    agentOptions = { protocol: { minimum: 1, maximum: 1 } };
    const store = await openStore();
    store.booted(shape());
    await event('fail');
    time.steady += DAY;
    store.booted(shape());
    await untilIdle(store);
    await expect(warm(store)).rejects.toMatchObject({ code: 'unsupported-option' });
    expect(host.templates).toHaveLength(1);
    expect(left()).toEqual([]);
  });

  it('makes no template where the engine supports none', async () => {
    const store = await openStore();
    engine.templateInputs = async () => Promise.reject(new Error('not so'));
    expect(await store.take(shape())).toBeUndefined();
    Object.assign(engine, { templateInputs: async () => undefined });
    expect(await store.take(shape())).toBeUndefined();
    await expect(warm(store)).rejects.toMatchObject({ code: 'unsupported-option' });
  });

  it('aborts the making of a template when the server stops', async () => {
    const store = await openStore();
    agentOptions = { silent: true } as FakeAgentOptions;
    const stuck = new FakeHost((vm) => {
      queueMicrotask(() => void store.close());
      void vm;
      return () => undefined;
    });
    engine.makeTemplate = (request, signal) => stuck.makeTemplate(request, signal);
    await expect(warm(store)).rejects.toMatchObject({ message: 'The server is stopping' });
    expect(left()).toEqual([]);
    expect(events).toEqual([]);
  });

  it('removes what a killed server left of an unfinished template', async () => {
    const id = 'c'.repeat(64);
    const work = join(root, 'templates', `.making-${id}`);
    mkdirSync(work, { mode: 0o700 });
    writeFileSync(join(work, 'ram'), 'half');
    mkdirSync(join(root, 'templates', '.gone-1'));
    mkdirSync(join(root, 'run', id.slice(0, 12)));
    await openStore();
    expect(host.sweeps).toEqual([id]);
    expect(left()).toEqual([]);
  });
});

describe('a damaged template', () => {
  const damage: Record<string, { harm: (directory: string) => void; reason: RegExp }> = {
    'a changed byte of RAM': {
      harm: (directory) => poke(join(directory, 'ram'), 60_000),
      reason: /^ram: it does not have the SHA-256/,
    },
    'a changed byte of the devices': {
      harm: (directory) => poke(join(directory, 'device'), 3),
      reason: /^device: it does not have the SHA-256/,
    },
    'a changed byte of the disk': {
      harm: (directory) => poke(join(directory, 'changes'), 100),
      reason: /^changes: it does not have the SHA-256/,
    },
    'a readable file': {
      harm: (directory) => chmodSync(join(directory, 'ram'), 0o644),
      reason: /^ram: its mode is 644 instead of 600/,
    },
    'a link in place of a file': {
      harm: (directory) => {
        renameSync(join(directory, 'ram'), join(root, 'elsewhere'));
        symlinkSync(join(root, 'elsewhere'), join(directory, 'ram'));
      },
      reason: /^ram: it is a link/,
    },
    'a file with two names': {
      harm: (directory) => linkSync(join(directory, 'ram'), join(root, 'elsewhere')),
      reason: /^ram: it has 2 names/,
    },
    'a file cut short': {
      harm: (directory) => truncateSync(join(directory, 'ram'), 1000),
      reason: /^ram: it has 1000 bytes/,
    },
    'a file that grew': {
      harm: (directory) => appendFileSync(join(directory, 'changes'), 'x'),
      reason: /^changes: it has \d+ bytes/,
    },
    'a file that is gone': {
      harm: (directory) => rmSync(join(directory, 'device')),
      reason: /^device: it is missing/,
    },
    'a directory that others may enter': {
      harm: (directory) => chmodSync(directory, 0o750),
      reason: /^its mode is 750 instead of 700/,
    },
  };

  it.each(Object.entries(damage))(
    'drops a template on use because of damage: %s',
    async (_, { harm, reason }) => {
      const store = await openStore();
      await warm(store);
      const key = onlyKey(store);
      harm(join(root, 'templates', key));
      expect(await store.take(shape())).toBeUndefined();
      expect(actions()).toEqual(['create', 'drop']);
      expect(events[1]).toMatchObject({
        key,
        attributes: { reason: expect.stringMatching(reason) },
      });
      expect(left()).toEqual([]);
      store.booted(shape());
      await event('create', 2);
      using taken = await store.take(shape());
      expect(taken?.template.key).toBe(key);
    },
  );

  const records: Record<string, { text: (old: string) => string; reason: RegExp }> = {
    'no JSON': { text: () => '{', reason: /is not JSON/ },
    'of another version': {
      text: (old) => old.replace('template/v1', 'template/v2'),
      reason: /unknown version a3s-box\/template\/v2/,
    },
    'with a field too many': { text: (old) => old.replace('{', '{"more":1,'), reason: /is wrong/ },
    'with other inputs': {
      text: (old) => old.replace('"cpus": "1"', '"cpus": "2"'),
      reason: /not what its key says/,
    },
    'of another template': {
      text: (old) =>
        old.replace(/"key": "."/, '"key": "0"').replace(/"key": ".{8}/, '"key": "00000000'),
      reason: /of another template/,
    },
    'that is far too long': {
      text: (old) => `${old}${' '.repeat(300_000)}`,
      reason: /has \d+ bytes/,
    },
  };

  it.each(Object.entries(records))(
    'drops a template when the server starts because of a damaged record: %s',
    async (_, { text, reason }) => {
      const before = await openStore();
      await warm(before);
      const path = join(root, 'templates', onlyKey(before), 'template.json');
      writeFileSync(path, text(readFileSync(path, 'utf8')));
      const store = await openStore();
      expect(store.list()).toEqual([]);
      expect(events[1]).toMatchObject({
        action: 'drop',
        attributes: { reason: expect.stringMatching(reason) },
      });
      expect(left()).toEqual([]);
    },
  );

  it.runIf(process.geteuid?.() === 0)('drops a template that belongs to another user', async () => {
    const store = await openStore();
    await warm(store);
    chownSync(join(root, 'templates', onlyKey(store), 'ram'), 12_345, 12_345);
    expect(await store.take(shape())).toBeUndefined();
    expect(events[1]?.attributes['reason']).toBe('ram: it belongs to user 12345');
  });

  it('drops a template that microVMs do not start from, and does not remake it forever', async () => {
    const store = await openStore();
    await warm(store);
    const key = onlyKey(store);
    await store.drop(key, 'vmm-failed: no');
    await store.drop(key, 'twice');
    expect(events.slice(1)).toMatchObject([
      { action: 'drop', attributes: { reason: 'vmm-failed: no' } },
    ]);
    store.booted(shape());
    await event('create', 2);
    await store.drop(key, 'again');
    store.booted(shape());
    await untilIdle(store);
    expect(host.templates).toHaveLength(2);
  });

  it('keeps the RAM of a dropped template open until its last user releases it', async () => {
    const store = await openStore();
    await warm(store);
    const taken = await store.take(shape());
    await store.drop(onlyKey(store), 'no');
    const ram = taken?.template.ram ?? -1;
    expect(fstatSync(ram).size).toBe(16 * MEBIBYTE);
    taken?.release();
    await expect.poll(() => isOpen(ram)).toBe(false);
  });
});

describe('an old template', () => {
  it('expires a template of the maximum age instead of using it', async () => {
    const store = await openStore();
    await warm(store);
    time.wall += DAY;
    expect(await store.take(shape())).toBeUndefined();
    expect(actions()).toEqual(['create', 'expire']);
    expect(left()).toEqual([]);
  });

  it('expires a template also when the clock was set back', async () => {
    const store = await openStore();
    await warm(store);
    time.steady += DAY;
    expect(await store.take(shape())).toBeUndefined();
    await warm(store);
    time.wall -= HOUR;
    expect(await store.take(shape())).toBeUndefined();
    expect(actions()).toEqual(['create', 'expire', 'create', 'expire']);
  });

  it('replaces a template in use before it expires, and its users keep the old one', async () => {
    const store = await openStore();
    await warm(store);
    time.wall += 20 * HOUR;
    const old = await store.take(shape());
    expect(old).toBeDefined();
    await event('create', 2);
    using fresh = await store.take(shape());
    expect(fresh?.template.ram).not.toBe(old?.template.ram);
    const ram = old?.template.ram ?? -1;
    expect(isOpen(ram)).toBe(true);
    old?.release();
    await expect.poll(() => isOpen(ram)).toBe(false);
    expect(left()).toEqual([onlyKey(store)]);
  });
});

describe('the limits of the store', () => {
  it('evicts the least recently used templates first, and none that is in use', async () => {
    limits = { ...limits, max: 2 };
    const store = await openStore();
    await warm(store, [1]);
    time.wall += 1000;
    await warm(store, [2]);
    time.wall += 1000;
    (await store.take(shape(1)))?.release();
    await warm(store, [3]);
    expect(
      store
        .list()
        .map(({ cpus }) => cpus)
        .sort(),
    ).toEqual([1, 3]);
    time.wall += 1000;
    using held = await store.take(shape(1));
    expect(held).toBeDefined();
    used.add(store.list().find(({ cpus }) => cpus === 3)?.key ?? '');
    await expect(warm(store, [4])).rejects.toMatchObject({ code: 'disk-full' });
    expect(
      store
        .list()
        .map(({ cpus }) => cpus)
        .sort(),
    ).toEqual([1, 3]);
    expect(actions().filter((action) => action === 'evict')).toHaveLength(2);
  });

  it('unloads the RAM of a template to make room for another, unless it is in use', async () => {
    const store = await openStore();
    await warm(store, [1, 2]);
    const first = await store.take(shape(1));
    const bytes = fstatSync(first?.template.ram ?? -1).blocks * 512;
    const small = await openStore({ limits: { ...limits, memoryBytes: bytes + 60_000 } });
    const held = await small.take(shape(1));
    expect(held).toBeDefined();
    expect(await small.take(shape(2))).toBeUndefined();
    expect(events.at(-1)).toMatchObject({ action: 'miss', attributes: { cpus: '2' } });
    held?.release();
    using other = await small.take(shape(2));
    expect(other).toBeDefined();
    expect(
      small
        .list()
        .map(({ cpus, state }) => `${cpus} ${state}`)
        .sort(),
    ).toEqual(['1 on disk', '2 in use']);
    first?.release();
  });
});

describe('removal by hand', () => {
  it('removes a template by hand unless a box uses it', async () => {
    const store = await openStore();
    await warm(store, [1, 2]);
    const [second, first] = store.list();
    const taken = await store.take(shape(1));
    await expect(store.remove(first?.key ?? '')).rejects.toMatchObject({ code: 'conflict' });
    used.add(second?.key ?? '');
    await expect(store.remove(second?.key ?? '')).rejects.toMatchObject({ code: 'conflict' });
    expect(await store.prune()).toEqual({ removed: [], freedBytes: 0 });
    taken?.release();
    expect(await store.remove(first?.key.slice(0, 12) ?? '')).toBe(first?.key);
    used.clear();
    expect(await store.prune()).toEqual({
      removed: [second?.key],
      freedBytes: second?.sizeBytes,
    });
    expect(left()).toEqual([]);
    await expect(store.remove('0'.repeat(64))).rejects.toMatchObject({ code: 'no-such-template' });
    await expect(store.remove('../..')).rejects.toMatchObject({ code: 'no-such-template' });
  });
});

describe('after an upgrade', () => {
  it('replaces templates that are stale after an upgrade, shape by shape', async () => {
    await warm(await openStore(), [1, 2]);
    kernel = 'kernel-2';
    const store = await openStore();
    store.refresh();
    await event('create', 4);
    await untilIdle(store);
    expect(actions().filter((action) => action === 'stale')).toHaveLength(2);
    expect(
      store
        .list()
        .map(({ cpus }) => cpus)
        .sort(),
    ).toEqual([1, 2]);
    using taken = await store.take(shape(2));
    expect(taken).toBeDefined();
  });

  it('keeps a stale template while a box pins its boot set or runs on it', async () => {
    const before = await openStore();
    await warm(before);
    const old = onlyKey(before);
    kernel = 'kernel-2';
    pinned = ['kernel-1'];
    const store = await openStore();
    store.refresh();
    await event('create', 2);
    await untilIdle(store);
    expect(store.list().map(({ key }) => key)).toContain(old);
    pinned = [];
    used.add(old);
    const next = await openStore();
    next.refresh();
    await untilIdle(next);
    expect(next.list().map(({ key }) => key)).toContain(old);
    used.clear();
    (await next.take(shape()))?.release();
    expect(next.list().map(({ key }) => key)).not.toContain(old);
    expect(actions()).toEqual(['create', 'create', 'stale']);
  });
});

it('keeps the templates of two homes apart', async () => {
  const store = await openStore();
  const other = mkdtempSync(join(tmpdir(), 'a3s-tpl-'));
  try {
    mkdirSync(join(other, 'templates'), { mode: 0o700 });
    const second = await openStore({ directory: join(other, 'templates') });
    await Promise.all([warm(store), warm(second)]);
    expect(host.templates).toHaveLength(2);
    expect(onlyKey(store)).toBe(onlyKey(second));
    await store.remove(onlyKey(store));
    using taken = await second.take(shape());
    expect(taken).toBeDefined();
  } finally {
    rmSync(other, { recursive: true, force: true });
  }
});

/** Waits until no template is being made. */
async function untilIdle(store: TemplateStore): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await expect.poll(() => store.list().filter(({ state }) => state === 'making')).toEqual([]);
}

function headOf(path: string, length: number, position = 0): string {
  const fd = openSync(path, 'r');
  const bytes = Buffer.alloc(length);
  readSync(fd, bytes, 0, length, position);
  closeSync(fd);
  return bytes.toString('latin1');
}

function poke(path: string, position: number): void {
  const fd = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, position);
  writeSync(fd, Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, position);
  closeSync(fd);
}

function isOpen(fd: number): boolean {
  return existsSync(`/proc/self/fd/${fd}`);
}
