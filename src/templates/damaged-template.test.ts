import {
  appendFileSync,
  chmodSync,
  chownSync,
  closeSync,
  fstatSync,
  linkSync,
  openSync,
  readFileSync,
  readSync,
  renameSync,
  rmSync,
  symlinkSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isOpen, MEBIBYTE, onlyKey, StoreHome, untilIdle, warm } from './testing/store-home.ts';

let home: StoreHome;

beforeEach(() => {
  home = new StoreHome();
});
afterEach(() => home.remove());

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
        renameSync(join(directory, 'ram'), join(home.root, 'elsewhere'));
        symlinkSync(join(home.root, 'elsewhere'), join(directory, 'ram'));
      },
      reason: /^ram: it is a link/,
    },
    'a file with two names': {
      harm: (directory) => linkSync(join(directory, 'ram'), join(home.root, 'elsewhere')),
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
      const store = await home.openStore();
      await warm(store);
      const key = onlyKey(store);
      harm(join(home.root, 'templates', key));
      expect(await store.take(home.shape())).toBeUndefined();
      expect(home.actions()).toEqual(['create', 'drop']);
      expect(home.events[1]).toMatchObject({
        key,
        attributes: { reason: expect.stringMatching(reason) },
      });
      expect(home.left()).toEqual([]);
      store.booted(home.shape());
      await home.event('create', 2);
      using taken = await store.take(home.shape());
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
      const before = await home.openStore();
      await warm(before);
      const path = join(home.root, 'templates', onlyKey(before), 'template.json');
      writeFileSync(path, text(readFileSync(path, 'utf8')));
      const store = await home.openStore();
      expect(store.list()).toEqual([]);
      expect(home.events[1]).toMatchObject({
        action: 'drop',
        attributes: { reason: expect.stringMatching(reason) },
      });
      expect(home.left()).toEqual([]);
    },
  );

  it.runIf(process.geteuid?.() === 0)('drops a template that belongs to another user', async () => {
    const store = await home.openStore();
    await warm(store);
    chownSync(join(home.root, 'templates', onlyKey(store), 'ram'), 12_345, 12_345);
    expect(await store.take(home.shape())).toBeUndefined();
    expect(home.events[1]?.attributes['reason']).toBe('ram: it belongs to user 12345');
  });

  it('drops a template that microVMs do not start from, and does not remake it forever', async () => {
    const store = await home.openStore();
    await warm(store);
    const key = onlyKey(store);
    await store.drop(key, 'vmm-failed: no');
    await store.drop(key, 'twice');
    expect(home.events.slice(1)).toMatchObject([
      { action: 'drop', attributes: { reason: 'vmm-failed: no' } },
    ]);
    store.booted(home.shape());
    await home.event('create', 2);
    await store.drop(key, 'again');
    store.booted(home.shape());
    await untilIdle(store);
    expect(home.host.templates).toHaveLength(2);
  });

  it('keeps the RAM of a dropped template open until its last user releases it', async () => {
    const store = await home.openStore();
    await warm(store);
    const taken = await store.take(home.shape());
    await store.drop(onlyKey(store), 'no');
    const ram = taken?.template.ram ?? -1;
    expect(fstatSync(ram).size).toBe(16 * MEBIBYTE);
    taken?.release();
    await expect.poll(() => isOpen(ram)).toBe(false);
  });
});

function poke(path: string, position: number): void {
  const fd = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(fd, byte, 0, 1, position);
  writeSync(fd, Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, position);
  closeSync(fd);
}
