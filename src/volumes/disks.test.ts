import {
  existsSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../state/database.ts';
import { VOLUME_MIGRATIONS, VolumeRecords } from './records.ts';
import { Volumes } from './volumes.ts';

let home: string;
let database: Database;
let volumes: Volumes;
/** Boxes by the volume that they mount. */
let users: Record<string, string[]>;
let live: Set<string>;
/** Makes the file of a disk. */
let makeDisk: (path: string, bytes: number) => Promise<void>;

function open(): Volumes {
  return new Volumes({
    home,
    keepOwners: true,
    records: new VolumeRecords(database),
    usersOf: (name) => users[name] ?? [],
    running: live,
    mayHaveVm: (box) => live.has(box),
    shutdown: new AbortController().signal,
    onEvent: () => undefined,
    makeDisk: (path, bytes) => makeDisk(path, bytes),
    now: () => '2026-01-02T03:04:05.000000006Z',
  });
}

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'a3s-disks-')));
  database = openDatabase(join(home, 'state.db'), VOLUME_MIGRATIONS);
  users = {};
  live = new Set();
  makeDisk = async (path, bytes) => writeFileSync(path, `${bytes}`);
  volumes = open();
});
afterEach(() => {
  database.close();
  rmSync(home, { recursive: true });
});

const kind = { options: { type: 'disk', size: '1g' }, diskBytes: 2 ** 30 };
const mount = (box: string, more = {}) =>
  volumes.mount('data', { box, isFirst: true, isFillable: true, ...more });
/** A box that mounts the volume runs from now on. */
const start = async (box: string) => {
  users['data'] = [...new Set([...(users['data'] ?? []), box])];
  live.add(box);
  return await mount(box);
};

describe('a volume that is a disk', () => {
  it('makes a disk volume again where the server ended after its file was there', async () => {
    const volume = await volumes.create({ name: 'data', kind });
    new VolumeRecords(database).put({ ...volume, state: 'making' });
    writeFileSync(join(home, 'volumes/data/_disk.new'), '');
    volumes = open();
    expect(await volumes.create({ name: 'data', kind })).toMatchObject({ state: 'present' });
    expect(readdirSync(join(home, 'volumes/data'))).toEqual(['_disk']);
  });

  it('makes a disk volume as a private file, with the size and the options on record', async () => {
    const made = await volumes.create({ name: 'data', kind });
    expect(made).toMatchObject({ options: kind.options, diskBytes: 2 ** 30, anonymous: false });
    const path = volumes.mountpoint('data');
    expect(readdirSync(join(home, 'volumes/data'))).toEqual(['_disk']);
    expect(path).toBe(join(home, 'volumes/data/_disk'));
    expect(statSync(path).mode & 0o777).toBe(0o600);
    expect(open().expect('data')).toEqual(made);
    await volumes.remove('data');
    expect(existsSync(path)).toBe(false);
  });

  it('keeps no disk volume whose file could not be made', async () => {
    makeDisk = async (path) => {
      writeFileSync(path, 'half');
      throw new Error('full');
    };
    await expect(volumes.create({ name: 'data', kind })).rejects.toThrow('full');
    expect(volumes.list()).toEqual([]);
    expect(readdirSync(join(home, 'volumes'))).toEqual([]);
    makeDisk = async (path) => writeFileSync(path, '');
    await volumes.create({ name: 'data', kind });
  });

  it.each(['_disk', '_data/file'])(
    'refuses a disk volume where %s lies in its place',
    async (file) => {
      await volumes.create({ name: 'data' });
      const path = join(home, 'volumes/data', file);
      writeFileSync(path, 'of somebody');
      database.exec('DELETE FROM volumes');
      volumes = open();
      await expect(volumes.create({ name: 'data', kind })).rejects.toMatchObject({
        code: 'conflict',
      });
      expect(existsSync(path)).toBe(true);
    },
  );

  it('gives a disk volume to one box at a time', async () => {
    await volumes.create({ name: 'data', kind });
    const mounted = { path: volumes.mountpoint('data'), isDisk: true };
    expect(await start('one')).toEqual(mounted);
    expect(volumes.holderOf('data')).toBe('one');
    await expect(start('two')).rejects.toMatchObject({
      code: 'volume-in-use',
      message: 'cannot mount volume data: it is a disk, which the box one has',
    });
    expect(await mount('one', { isFirst: false })).toEqual(mounted);
    live.delete('one');
    expect(volumes.holderOf('data')).toBeUndefined();
    expect(await start('two')).toEqual(mounted);
    expect(volumes.holderOf('data')).toBe('two');
  });

  it('keeps a disk volume with its running box when the next server starts', async () => {
    await volumes.create({ name: 'data', kind });
    await start('one');
    users['data'] = ['two', 'one'];
    volumes = open();
    expect(volumes.holderOf('data')).toBe('one');
    await expect(start('two')).rejects.toMatchObject({ code: 'volume-in-use' });
    live.delete('one');
    await start('two');
  });

  it('gives a disk volume to one of many boxes that start at once', async () => {
    await volumes.create({ name: 'data', kind });
    const boxes = Array.from({ length: 8 }, (_, index) => `box-${index}`);
    const results = await Promise.allSettled(boxes.map(start));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });
});

describe('a sealed volume', () => {
  const sealed = {
    options: { type: 'sealed', size: '32m' },
    diskBytes: 2 ** 25 + 1,
    sealed: true,
  } as const;
  const ID = '0123456789abcdef0123456789abcdef';

  it('makes a sealed volume of zeros, in whole blocks, without a file system of the host', async () => {
    makeDisk = () => Promise.reject(new Error('a file system was made'));
    await volumes.create({ name: 'data', kind: sealed });
    const path = volumes.mountpoint('data');
    expect(statSync(path)).toMatchObject({ size: 2 ** 25, blocks: 0 });
    expect(open().expect('data').sealed).toEqual({});
    expect(volumes.kindLike('data')).toEqual(sealed);
  });

  it('mounts a sealed volume in boxes that seal its key, and in no other', async () => {
    await volumes.create({ name: 'data', kind: sealed });
    await volumes.create({ name: 'plain', kind });
    await expect(start('one')).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(await mount('one', { isSealed: true })).toMatchObject({ isDisk: true });
    const options = { box: 'one', isFirst: true, isFillable: true, isSealed: true };
    await expect(volumes.mount('plain', options)).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining('another kind of volume'),
    });
  });

  it('keeps the id that a guest told, and refuses a disk that lost its header since', async () => {
    await volumes.create({ name: 'data', kind: sealed });
    expect(volumes.sealedId('data')).toBeUndefined();
    volumes.recordSealed('data', ID);
    volumes = open();
    expect(volumes.sealedId('data')).toBe(ID);
    await expect(mount('one', { isSealed: true })).rejects.toMatchObject({ code: 'volume-empty' });
    const path = volumes.mountpoint('data');
    for (const at of [0, 512 * 1024]) {
      const disk = Buffer.alloc(2 ** 20);
      disk.write('A3S-VOLM', at);
      writeFileSync(path, disk);
      expect(await mount('one', { isSealed: true })).toMatchObject({ isDisk: true });
    }
  });

  it('keeps the first id of a volume, and refuses another one', async () => {
    await volumes.create({ name: 'data', kind: sealed });
    volumes.recordSealed('data', ID);
    volumes.recordSealed('data', ID);
    expect(() => volumes.recordSealed('data', ID.replace('0', 'f'))).toThrow(
      expect.objectContaining({ code: 'volume-refused', message: expect.stringContaining(ID) }),
    );
    expect(open().sealedId('data')).toBe(ID);
    await volumes.remove('data');
    await volumes.create({ name: 'data', kind: sealed });
    volumes.recordSealed('data', ID.replace('0', 'f'));
    expect(volumes.sealedId('data')).toBe(ID.replace('0', 'f'));
  });

  it('records no id for a volume of another kind', async () => {
    await volumes.create({ name: 'data', kind });
    volumes.recordSealed('data', ID);
    volumes.recordSealed('gone', ID);
    expect(open().expect('data').sealed).toBeUndefined();
  });
});
