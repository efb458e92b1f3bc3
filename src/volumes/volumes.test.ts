import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
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
let events: string[];

function open(): Volumes {
  return new Volumes({
    home,
    records: new VolumeRecords(database),
    usersOf: (name) => users[name] ?? [],
    onEvent: (action, { name }) => events.push(`${action} ${name}`),
    now: () => '2026-01-02T03:04:05.000000006Z',
  });
}

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'a3s-volumes-'));
  database = openDatabase(join(home, 'state.db'), VOLUME_MIGRATIONS);
  users = {};
  events = [];
  volumes = open();
});
afterEach(() => {
  database.close();
  rmSync(home, { recursive: true });
});

const file = (name: string): string => join(volumes.mountpoint(name), 'file');

describe('creating a volume', () => {
  it('creates a volume with a record and an empty directory, which the next server finds', async () => {
    const volume = await volumes.create({ name: 'data', labels: { a: 'b' } });
    expect(volume).toMatchObject({ name: 'data', labels: { a: 'b' }, anonymous: false });
    expect(readdirSync(volumes.mountpoint('data'))).toEqual([]);
    expect(open().expect('data')).toEqual(volume);
    expect(events).toEqual(['create data']);
  });

  it('returns the existing volume of a name, with its files and labels', async () => {
    await volumes.create({ name: 'data', labels: { a: 'b' } });
    writeFileSync(file('data'), 'kept');
    const again = await volumes.create({ name: 'data', labels: { c: 'd' } });
    expect(again.labels).toEqual({ a: 'b' });
    expect(existsSync(file('data'))).toBe(true);
    expect(events).toEqual(['create data']);
  });

  it('creates one volume where many calls ask for the same name at once', async () => {
    await Promise.all(Array.from({ length: 20 }, () => volumes.create({ name: 'data' })));
    expect(volumes.list().map(({ name }) => name)).toEqual(['data']);
    expect(events).toEqual(['create data']);
  });

  it('gives an anonymous volume a name of 64 digits and Docker’s label', async () => {
    const { name, labels, anonymous } = await volumes.create();
    expect(name).toMatch(/^[0-9a-f]{64}$/);
    expect({ labels, anonymous }).toEqual({
      labels: { 'com.docker.volume.anonymous': '' },
      anonymous: true,
    });
  });

  it.each(['../up', 'a/b', '.hidden', 'a b', '-x', 'a\0b', 'x'.repeat(256), 'x'])(
    'refuses the volume name %j, and makes nothing',
    async (name) => {
      await expect(volumes.create({ name })).rejects.toMatchObject({ code: 'invalid-argument' });
      expect(existsSync(join(home, 'volumes'))).toBe(false);
    },
  );

  it('refuses to create a volume where files lie that no record knows, and leaves them', async () => {
    mkdirSync(volumes.mountpoint('data'), { recursive: true });
    writeFileSync(file('data'), 'of somebody');
    await expect(volumes.create({ name: 'data' })).rejects.toMatchObject({ code: 'conflict' });
    expect(existsSync(file('data'))).toBe(true);
    expect(volumes.list()).toEqual([]);
  });

  it('creates a volume in an empty directory that an earlier server did not record', async () => {
    mkdirSync(volumes.mountpoint('data'), { recursive: true });
    await expect(volumes.create({ name: 'data' })).resolves.toMatchObject({ name: 'data' });
  });
});

describe('removing a volume', () => {
  it('removes the files and the record of a volume', async () => {
    await volumes.create({ name: 'data' });
    writeFileSync(file('data'), '');
    await volumes.remove('data');
    expect(readdirSync(join(home, 'volumes'))).toEqual([]);
    expect(() => volumes.expect('data')).toThrow('get data: no such volume');
    expect(events).toEqual(['create data', 'destroy data']);
  });

  it('refuses to remove a volume that a box mounts, and names the box', async () => {
    await volumes.create({ name: 'data' });
    users['data'] = ['box-1'];
    await expect(volumes.remove('data')).rejects.toMatchObject({
      code: 'volume-in-use',
      message: 'remove data: volume is in use - [box-1]',
    });
    await volumes.remove('data', 'box-1');
    expect(volumes.list()).toEqual([]);
  });

  it('finishes a removal in the next server where this one ended in the middle', async () => {
    const volume = await volumes.create({ name: 'data' });
    writeFileSync(file('data'), '');
    new VolumeRecords(database).put({ ...volume, state: 'removing' });
    const next = open();
    expect(next.list()).toEqual([]);
    await next.sweep();
    expect(readdirSync(join(home, 'volumes'))).toEqual([]);
    expect(new VolumeRecords(database).list()).toEqual([]);
  });

  it('creates a volume anew, without the old files, where its removal was cut off', async () => {
    const volume = await volumes.create({ name: 'data' });
    writeFileSync(file('data'), '');
    new VolumeRecords(database).put({ ...volume, state: 'removing' });
    const next = open();
    await next.create({ name: 'data' });
    expect(readdirSync(next.mountpoint('data'))).toEqual([]);
  });
});

describe('filling a volume', () => {
  const FIRST = { isFirst: true, isWanted: true };
  const LATER = { isFirst: false, isWanted: true };
  const first = async (name = 'data') => await volumes.fill(name, FIRST);

  it('fills an empty volume at the first start of a box', async () => {
    await volumes.create({ name: 'data' });
    const fill = await first();
    expect(volumes.expect('data').state).toBe('filling');
    await fill?.done();
    fill?.release();
    expect(volumes.expect('data').state).toBe('used');
  });

  it('fills a volume again where a fill was cut off', async () => {
    await volumes.create({ name: 'data' });
    const fill = await first();
    writeFileSync(file('data'), 'half');
    fill?.release();
    const again = await open().fill('data', LATER);
    expect(again).toBeDefined();
    again?.release();
  });

  it('removes what a fill that was cut off has left for a start that does not fill the volume', async () => {
    await volumes.create({ name: 'data' });
    const fill = await first();
    mkdirSync(join(volumes.mountpoint('data'), 'below'));
    writeFileSync(file('data'), 'half');
    fill?.release();
    expect(await volumes.fill('data', { isFirst: true, isWanted: false })).toBeUndefined();
    expect(readdirSync(volumes.mountpoint('data'))).toEqual([]);
  });

  it('does not fill a volume that has files', async () => {
    await volumes.create({ name: 'data' });
    writeFileSync(file('data'), 'of its user');
    expect(await first()).toBeUndefined();
    expect(volumes.expect('data').state).toBe('used');
  });

  it('does not fill an empty volume at a later start of a box, which may have emptied it', async () => {
    await volumes.create({ name: 'data' });
    expect(await volumes.fill('data', LATER)).toBeUndefined();
  });

  it('lets other starts wait until a volume is filled, and they find the files', async () => {
    await volumes.create({ name: 'data' });
    const fill = await first();
    const order: string[] = [];
    const second = first().then((found) => {
      order.push('second');
      return found;
    });
    writeFileSync(file('data'), 'of the image');
    await fill?.done();
    order.push('filled');
    fill?.release();
    expect(await second).toBeUndefined();
    expect(order).toEqual(['filled', 'second']);
  });

  it('refuses to fill a volume that is gone', async () => {
    await expect(first('gone')).rejects.toMatchObject({ code: 'no-such-volume' });
    // And nobody waits for it.
    await volumes.create({ name: 'gone' });
  });
});

it('counts the bytes of a volume on the disk', async () => {
  await volumes.create({ name: 'data' });
  const before = await volumes.bytes('data');
  writeFileSync(file('data'), Buffer.alloc(1_000_000, 1));
  expect((await volumes.bytes('data')) - before).toBeGreaterThanOrEqual(1_000_000);
});

it('refuses to start on a record that cannot be read', () => {
  database.exec("INSERT INTO volumes (name, record) VALUES ('data', '{}')");
  expect(() => new VolumeRecords(database)).toThrow('Cannot read the record of volume data');
});
