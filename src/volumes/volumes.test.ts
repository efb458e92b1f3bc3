import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../state/database.ts';
import { VOLUME_MIGRATIONS, VolumeRecords } from './records.ts';
import { type MountOptions, Volumes } from './volumes.ts';

let home: string;
let database: Database;
let volumes: Volumes;
/** Boxes by the volume that they mount. */
let users: Record<string, string[]>;
let events: string[];
/** Boxes that run. */
let live: Set<string>;

function open(path = home): Volumes {
  return new Volumes({
    home: path,
    keepOwners: true,
    makeDisk: async () => undefined,
    records: new VolumeRecords(database),
    usersOf: (name) => users[name] ?? [],
    running: live,
    mayHaveVm: (box) => live.has(box),
    shutdown: new AbortController().signal,
    onEvent: (action, { name }) => events.push(`${action} ${name}`),
    now: () => '2026-01-02T03:04:05.000000006Z',
  });
}

beforeEach(() => {
  home = realpathSync(mkdtempSync(join(tmpdir(), 'a3s-volumes-')));
  database = openDatabase(join(home, 'state.db'), VOLUME_MIGRATIONS);
  users = {};
  events = [];
  live = new Set();
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

describe('a volume that was being made when the server ended', () => {
  const putMaking = async () => {
    const volume = await volumes.create({ name: 'data' });
    new VolumeRecords(database).put({ ...volume, state: 'making' });
  };

  it('removes a half-made volume in the next server', async () => {
    await putMaking();
    const next = open();
    expect(next.list()).toEqual([]);
    expect(() => next.expect('data')).toThrow('no such volume');
    await next.sweep(() => expect.fail('it can be removed'));
    expect(readdirSync(join(home, 'volumes'))).toEqual([]);
    expect(new VolumeRecords(database).list()).toEqual([]);
  });

  it('makes a half-made volume again before it is removed', async () => {
    await putMaking();
    const next = open();
    expect(await next.create({ name: 'data' })).toMatchObject({ state: 'present' });
    await next.sweep(() => expect.fail('it is made'));
    expect(next.list()).toHaveLength(1);
    expect(readdirSync(next.mountpoint('data'))).toEqual([]);
  });

  it('keeps files that somebody has put into the place of a half-made volume', async () => {
    await putMaking();
    writeFileSync(file('data'), 'of somebody');
    const next = open();
    await next.sweep(() => expect.fail('the record can be removed'));
    expect(existsSync(file('data'))).toBe(true);
    expect(new VolumeRecords(database).list()).toEqual([]);
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
    await next.sweep(() => expect.fail('it can be removed'));
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
  const mount = (box: string, more: Partial<MountOptions> = {}, name = 'data') =>
    volumes.mount(name, { box, isFirst: true, isFillable: true, ...more });
  const begin = async (box: string) => {
    live.add(box);
    users['data'] = [...(users['data'] ?? []), box];
    return await mount(box);
  };
  const listed = () => readdirSync(volumes.mountpoint('data'));
  const named = async (what: string) => {
    const { path, fill } = await begin(what);
    if (fill === undefined) throw new Error('it is not filled');
    writeFileSync(join(path, what), '');
    return fill;
  };
  beforeEach(async () => {
    await volumes.create({ name: 'data' });
  });

  it('fills an empty volume at the first start of a box, in a directory of its own', async () => {
    const { path, fill } = await begin('one');
    expect(path).not.toBe(volumes.mountpoint('data'));
    writeFileSync(join(path, 'file'), 'of the image');
    expect(listed()).toEqual([]);
    await fill?.done();
    fill?.release();
    expect(listed()).toEqual(['file']);
    expect(existsSync(path)).toBe(false);
  });

  it('leaves the volume as it was where a fill was cut off, and fills it again', async () => {
    (await named('half')).release();
    expect(listed()).toEqual([]);
    live.clear();
    volumes = open();
    const fill = await named('whole');
    await fill.done();
    fill.release();
    expect(listed()).toEqual(['whole']);
    expect(readdirSync(join(home, 'volumes/data'))).toEqual(['_data']);
  });

  it('removes what was filled where a start has failed, and nothing that boxes see', async () => {
    const { path, fill } = await begin('one');
    writeFileSync(join(path, 'half'), '');
    await fill?.discard();
    fill?.release();
    expect(existsSync(path)).toBe(false);
    const again = await begin('one');
    writeFileSync(join(again.path, 'whole'), '');
    await again.fill?.done();
    await again.fill?.discard();
    again.fill?.release();
    expect(listed()).toEqual(['whole']);
  });

  it('does not fill a volume that another running box mounts', async () => {
    await mount('other', { isFillable: false });
    live.add('other');
    users['data'] = ['other'];
    expect((await begin('one')).fill).toBeUndefined();
    live.delete('other');
    const { fill } = await mount('one');
    expect(fill).toBeDefined();
    fill?.release();
  });

  it('does not fill a volume that a box of an earlier server mounts', async () => {
    live.add('other');
    users['data'] = ['other'];
    volumes = open();
    expect((await begin('one')).fill).toBeUndefined();
  });

  it('fills a volume although another box that starts waits for it', async () => {
    const first = await named('one');
    const second = begin('two');
    await first.done();
    first.release();
    expect((await second).fill).toBeUndefined();
    expect(listed()).toEqual(['one']);
  });

  it('refuses what was filled where somebody has put files into the volume meanwhile', async () => {
    const fill = await named('one');
    writeFileSync(file('data'), 'of its user');
    await expect(fill.done()).rejects.toMatchObject({ code: 'conflict' });
    fill.release();
    expect(listed()).toEqual(['file']);
  });

  it.each([
    ['that has files', {}, true],
    ['at a later start of a box, which may have emptied it', { isFirst: false }, false],
    ['that the box does not want filled', { isFillable: false }, false],
  ])('does not fill a volume %s', async (_, more, hasFiles) => {
    if (hasFiles) writeFileSync(file('data'), 'of its user');
    expect(await mount('one', more)).toEqual({ path: volumes.mountpoint('data') });
  });

  it('does not fill a volume whose directory is gone, and makes none', async () => {
    rmSync(volumes.mountpoint('data'), { recursive: true });
    expect(await mount('one')).toEqual({ path: volumes.mountpoint('data') });
    expect(existsSync(volumes.mountpoint('data'))).toBe(false);
  });

  it('refuses to mount a volume that is gone', async () => {
    await expect(mount('one', {}, 'gone')).rejects.toMatchObject({ code: 'no-such-volume' });
    await volumes.create({ name: 'gone' });
  });

  it('mounts a volume by its real path where a link leads to the home', async () => {
    const link = `${home}-link`;
    symlinkSync(home, link);
    try {
      const linked = open(link);
      const { path } = await linked.mount('data', { box: 'x', isFirst: false, isFillable: false });
      expect(path).toBe(volumes.mountpoint('data'));
    } finally {
      rmSync(link);
    }
  });
});

it('removes a tree that is deeper than a path may be', async () => {
  await volumes.create({ name: 'data' });
  const script =
    'for i in $(seq 300); do mkdir 12345678901234567890; cd 12345678901234567890; done';
  execFileSync('bash', ['-c', script], { cwd: volumes.mountpoint('data') });
  await volumes.remove('data');
  expect(readdirSync(join(home, 'volumes'))).toEqual([]);
});

it('finishes the removals of other volumes where one fails', async () => {
  for (const name of ['one', 'two']) await volumes.create({ name });
  const records = new VolumeRecords(database);
  for (const volume of records.list()) records.put({ ...volume, state: 'removing' });
  const failed: string[] = [];
  const next = open();
  const remove = VolumeRecords.prototype.remove;
  VolumeRecords.prototype.remove = function (name) {
    if (name === 'one') throw new Error('the disk is full');
    remove.call(this, name);
  };
  try {
    await next.sweep((_, name) => failed.push(name));
  } finally {
    VolumeRecords.prototype.remove = remove;
  }
  expect(failed).toEqual(['one']);
  expect(new VolumeRecords(database).list().map(({ name }) => name)).toEqual(['one']);
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
