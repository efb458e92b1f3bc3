import { existsSync, mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { BoxSpec } from '@a3s-box/policies';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeRefusal } from '../../../guest/testing/fake-refusal.ts';
import { TestHome } from '../../testing/home.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
});
afterEach(() => home.remove());

const make = (body: unknown) => home.call('POST', '/volumes/create', body);
const list = async (filters: unknown = {}) => {
  const text = encodeURIComponent(JSON.stringify(filters));
  const { body } = await home.call('GET', `/v1.45/volumes?filters=${text}`);
  return (body as { Volumes: { Name: string }[] }).Volumes.map(({ Name }) => Name);
};
const prune = async (filters: unknown, version = 'v1.45') => {
  const text = encodeURIComponent(JSON.stringify(filters));
  const { body } = await home.call('POST', `/${version}/volumes/prune?filters=${text}`);
  return (body as { VolumesDeleted: string[] }).VolumesDeleted;
};
const withMounts = (HostConfig: unknown, more = {}) =>
  home.create(['sleep', 'infinity'], { HostConfig, ...more });
const inspect = async (id: string) =>
  (await home.call('GET', `/containers/${id}/json`)).body as {
    Mounts: { Name?: string; Destination: string }[];
    HostConfig: Record<string, unknown>;
  };
const start = (id: string) => home.call('POST', `/containers/${id}/start`);
const mountsOf = (id: string) => home.agents.get(id)?.spec?.mounts;
const fillOf = (mount: BoxSpec['mounts'][number]) =>
  mount.kind === 'image' ? undefined : mount.fill;

describe('the routes of volumes', () => {
  it('creates, shows, lists and removes a volume', async () => {
    const made = await make({
      Name: 'data',
      Labels: { a: 'b' },
      Driver: 'local',
      DriverOpts: null,
    });
    const shown = {
      ...{ Name: 'data', Driver: 'local', Scope: 'local', Labels: { a: 'b' }, Options: null },
      Mountpoint: join(home.config.home, 'volumes/data/_data'),
    };
    expect(made).toMatchObject({ status: 201, body: shown });
    expect((await home.call('GET', '/volumes/data')).body).toMatchObject(shown);
    expect(await list()).toEqual(['data']);
    expect((await home.call('DELETE', '/volumes/data')).status).toBe(204);
    expect(await list()).toEqual([]);
  });

  it('answers 404 for a missing volume, unless it is to be removed by force', async () => {
    const message = 'get gone: no such volume';
    expect(await home.call('GET', '/volumes/gone')).toMatchObject({
      status: 404,
      body: { message },
    });
    expect((await home.call('DELETE', '/volumes/gone')).status).toBe(404);
    expect((await home.call('DELETE', '/volumes/gone?force=1')).status).toBe(204);
  });

  it.each([
    [{ Name: 'a/b' }, 400, 'includes invalid characters for a local volume name'],
    [{ Name: 'x' }, 400, 'volume name is too short'],
    [{ Name: 'ok', Driver: 'nfs' }, 404, 'plugin "nfs" not found'],
    [{ Name: 'ok', DriverOpts: { type: 'nfs' } }, 400, 'the type nfs'],
  ])('refuses to create the volume %j', async (body, status, message) => {
    expect(await make(body)).toMatchObject({
      ...{ status, body: { message: expect.stringContaining(message) } },
    });
    expect(await list()).toEqual([]);
  });

  it('filters volumes by name, label, driver and whether a box mounts them', async () => {
    await make({ Name: 'one', Labels: { tier: 'db' } });
    await make({ Name: 'two' });
    await withMounts({ Binds: ['two:/data'] });
    expect(await list({ name: ['on'] })).toEqual(['one']);
    expect(await list({ name: ['^two$'] })).toEqual(['two']);
    expect(await list({ name: ['^wo', 'on$', 'o.e'] })).toEqual([]);
    expect(await list({ label: ['tier=db'] })).toEqual(['one']);
    expect(await list({ dangling: ['true'] })).toEqual(['one']);
    expect(await list({ dangling: ['false'] })).toEqual(['two']);
    expect(await list({ driver: ['other'] })).toEqual([]);
  });

  it('prunes unused anonymous volumes, and named ones where all are asked for', async () => {
    await make({ Name: 'named' });
    await make({ Name: 'used' });
    const { body } = await make({});
    const { Name: anonymous } = body as { Name: string };
    await withMounts({ Binds: ['used:/data'] });
    expect(await prune({ label: ['no'] })).toEqual([]);
    expect(await prune({})).toEqual([anonymous]);
    expect(await prune({ all: ['true'] })).toEqual(['named']);
    expect(await list()).toEqual(['used']);
  });

  it('prunes named volumes for a client of an API before 1.42', async () => {
    await make({ Name: 'named' });
    expect(await prune({}, 'v1.41')).toEqual(['named']);
  });

  it('counts volumes in what the server takes on disk', async () => {
    await make({ Name: 'data' });
    await withMounts({ Binds: ['data:/data'] });
    const { body } = await home.call('GET', '/system/df?type=volume');
    expect(body).toMatchObject({
      Volumes: [{ Name: 'data', UsageData: { RefCount: 1, Size: expect.any(Number) } }],
    });
  });
});

describe('a box with volumes', () => {
  it('makes the volume that a new box names, and has it filled at the first start alone', async () => {
    const id = await withMounts({ Binds: ['data:/srv/data'] });
    expect(await list()).toEqual(['data']);
    await start(id);
    const mount = { kind: 'virtiofs', destination: '/srv/data', readonly: false };
    expect(mountsOf(id)).toMatchObject([{ ...mount, fill: true }]);
    await home.call('POST', `/containers/${id}/kill`);
    await home.call('POST', `/containers/${id}/wait`);
    await start(id);
    expect(mountsOf(id)).toEqual([{ ...mount, tag: 'volume-0' }]);
  });

  it('fills no volume that has files, is mounted read-only, or with nocopy', async () => {
    await make({ Name: 'full' });
    writeFileSync(join(home.runtime.volumes.mountpoint('full'), 'file'), '');
    const Binds = ['full:/a', 'read:/b:ro', 'bare:/c:nocopy'];
    const id = await withMounts({ Binds });
    await start(id);
    expect(mountsOf(id)?.map(fillOf)).toEqual([undefined, undefined, undefined]);
    expect(mountsOf(id)?.map(({ readonly }) => readonly)).toEqual([false, true, false]);
  });

  it('mounts what lies below another mount after that one', async () => {
    const Binds = ['inner:/data/below', '/tmp:/data', 'deep:/data/below/deep'];
    const id = await withMounts({ Binds });
    await start(id);
    const order = ['/data', '/data/below', '/data/below/deep'];
    expect(mountsOf(id)?.map(({ destination }) => destination)).toEqual(order);
  });

  it('shares the directory of a volume, and follows no link to it', async () => {
    const id = await withMounts({ Binds: ['data:/data:ro'] });
    await start(id);
    const vm = home.host.running.find(({ spec }) => spec.id === id);
    const path = home.runtime.volumes.mountpoint('data');
    expect(vm?.spec.shares).toEqual([{ tag: 'volume-0', path, readonly: true, resolved: true }]);
  });

  it('fills a volume again after a start that failed meanwhile', async () => {
    home.agentOptions = { refuseSpec: new FakeRefusal('setup-failed', 'no such share') };
    const id = await withMounts({ Binds: ['data:/data'] });
    expect((await start(id)).status).toBeGreaterThanOrEqual(400);
    expect(readdirSync(home.runtime.volumes.mountpoint('data'))).toEqual([]);
    home.agentOptions = {};
    await start(id);
    expect(mountsOf(id)).toMatchObject([{ fill: true }]);
  });

  it('publishes events when a box begins and ends to have its volume', async () => {
    const since = Date.now() / 1000;
    const id = await withMounts({ Binds: ['data:/data:ro'] });
    await start(id);
    await home.call('POST', `/containers/${id}/kill`);
    await home.call('POST', `/containers/${id}/wait`);
    const filters = encodeURIComponent(JSON.stringify({ volume: ['data'] }));
    const range = `since=${since.toFixed(3)}&until=${(Date.now() / 1000 + 1).toFixed(3)}`;
    const { body } = await home.call('GET', `/events?${range}&filters=${filters}`);
    const published = String(body)
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(published.map(({ Type, Action }) => `${Type} ${Action}`)).toEqual(
      ['create', 'mount', 'unmount'].map((action) => `volume ${action}`),
    );
    expect(published[1].Actor).toMatchObject({
      ...{ ID: 'data', Attributes: { container: id, destination: '/data', 'read/write': 'false' } },
    });
  });

  it('lists a box by the name of its volume', async () => {
    const id = await withMounts({ Binds: ['data:/data'] });
    const filters = encodeURIComponent(JSON.stringify({ volume: ['data'] }));
    const { body } = await home.call('GET', `/containers/json?all=1&filters=${filters}`);
    expect(body).toMatchObject([{ Id: id, Mounts: [{ Type: 'volume', Name: 'data' }] }]);
  });

  it('shows the mounts of a box as they were asked for', async () => {
    const Mounts = [
      { Type: 'volume', Source: 'long', Target: '/long', ReadOnly: true },
      { Type: 'bind', Source: '/tmp', Target: '/bound' },
    ];
    const id = await withMounts({ Binds: ['short:/short:nocopy'], Mounts });
    const { HostConfig, Mounts: shown } = await inspect(id);
    expect(HostConfig).toMatchObject({ Binds: ['short:/short:nocopy'] });
    expect(HostConfig['Mounts']).toHaveLength(2);
    expect(HostConfig['Mounts']).toEqual(
      expect.arrayContaining(
        Mounts.map((each) => expect.objectContaining({ Target: each.Target })),
      ),
    );
    const Driver = 'local';
    expect(shown).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ Type: 'volume', Name: 'short', Driver, RW: true }),
        expect.objectContaining({ Type: 'volume', Name: 'long', Driver, RW: false }),
        expect.objectContaining({ Type: 'bind', Source: '/tmp', RW: true }),
      ]),
    );
  });

  it('makes anonymous volumes for a path alone, and for a mount without a source', async () => {
    const Mounts = [{ Type: 'volume', Target: '/second' }];
    const id = await withMounts({ Mounts }, { Volumes: { '/first': {} } });
    const { Mounts: shown } = await inspect(id);
    expect(shown.map(({ Destination }) => Destination).sort()).toEqual(['/first', '/second']);
    for (const { Name } of shown) expect(Name).toMatch(/^[0-9a-f]{64}$/);
  });

  it('makes no anonymous volume where a path alone names the place of another mount', async () => {
    const id = await withMounts(
      { Binds: ['data:/data'] },
      { Volumes: { '/data': {}, '/data/': {} } },
    );
    expect((await inspect(id)).Mounts).toMatchObject([{ Name: 'data' }]);
    expect(await list()).toEqual(['data']);
  });

  it('refuses to start a box whose bind in the long form has lost its source', async () => {
    const source = join(home.config.home, 'source');
    mkdirSync(source);
    const id = await withMounts({ Mounts: [{ Type: 'bind', Source: source, Target: '/a' }] });
    rmdirSync(source);
    expect(await start(id)).toMatchObject({
      body: { message: `Cannot bind ${source}: it does not exist` },
    });
    expect(existsSync(source)).toBe(false);
  });

  it('gives a box the mounts of another box at the places that are free', async () => {
    const Binds = ['data:/data', '/tmp:/tmp:ro', 'other:/other'];
    const source = await withMounts({ Binds });
    const given = { VolumesFrom: [`${source}:z,ro`], Binds: ['own:/other'] };
    const id = await withMounts(given);
    const { Mounts, HostConfig } = await inspect(id);
    expect(HostConfig).toMatchObject({ Binds: ['own:/other'], VolumesFrom: [`${source}:z,ro`] });
    expect(Mounts).toHaveLength(3);
    expect(Mounts).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ Name: 'data', Destination: '/data', RW: false }),
        expect.objectContaining({ Source: '/tmp', Destination: '/tmp', RW: false }),
        expect.objectContaining({ Name: 'own', Destination: '/other', RW: true }),
      ]),
    );
  });

  it.each([
    [{ VolumesFrom: ['gone'] }, 404, 'No such container: gone'],
    [{ VolumesFrom: ['a:b:c'] }, 400, 'malformed volumes-from'],
    [{ VolumesFrom: ['a:ro,nocopy'] }, 400, 'invalid mode: ro,nocopy'],
    [{ VolumesFrom: ['a:rprivate'] }, 400, 'invalid mode: rprivate'],
    [{ Binds: ['a/b:/data'] }, 400, 'includes invalid characters'],
    [{ Binds: ['data:/data:shared'] }, 400, 'shared'],
    [{ Binds: ['/tmp:/data:nocopy'] }, 400, 'invalid mode: nocopy'],
    [{ Binds: ['data:/proc/x'] }, 400, 'the box has its own /proc'],
    [{ Binds: ['one:/data', 'two:/data/'] }, 400, 'Duplicate mount point'],
    [{ Mounts: [{ Type: 'volume', Source: 'a' }] }, 400, 'field Target must not be empty'],
    [{ Mounts: [{ Type: 'bind', Target: '/a' }] }, 400, 'field Source must not be empty'],
    [
      { Mounts: [{ Type: 'bind', Source: '/gone/x', Target: '/a' }] },
      400,
      'does not exist: /gone/x',
    ],
    [
      { Mounts: [{ Type: 'volume', Target: '/a', ReadOnly: true }] },
      400,
      'must not set ReadOnly mode when using anonymous volumes',
    ],
    [{ Mounts: [{ Type: 'image', Target: '/a' }] }, 400, 'image'],
    [{ Mounts: [{ Type: 'what', Target: '/a' }] }, 400, 'mount type unknown'],
    [{ VolumeDriver: 'nfs', Binds: ['data:/data'] }, 404, 'plugin "nfs" not found'],
  ])('refuses a box with %j, and makes no volume', async (HostConfig, status, message) => {
    const body = { Image: 'busybox', HostConfig };
    expect(await home.call('POST', '/containers/create', body)).toMatchObject({
      ...{ status, body: { message: expect.stringContaining(message) } },
    });
    expect(await list()).toEqual([]);
  });

  it('refuses a missing driver for anonymous volumes, and takes its name where it makes none', async () => {
    const create = (more: object) =>
      home.call('POST', '/containers/create', {
        ...{ Image: 'busybox', HostConfig: { VolumeDriver: 'nfs', Binds: ['/tmp:/tmp'] } },
        ...more,
      });
    expect(await create({ Volumes: { '/data': {} } })).toMatchObject({
      ...{ status: 404, body: { code: 'no-such-driver' } },
    });
    expect(await list()).toEqual([]);
    const { status, body } = await create({});
    expect(status).toBe(201);
    const shown = await home.call('GET', `/containers/${(body as { Id: string }).Id}/json`);
    expect(shown.body).toMatchObject({ HostConfig: { VolumeDriver: 'nfs' } });
  });

  it('takes no more access from --volumes-from than the other box has, and the last box wins', async () => {
    const first = await withMounts({ Binds: ['/tmp:/both:ro', 'one:/data'] });
    const second = await withMounts({ Binds: ['two:/data'] });
    const id = await withMounts({ VolumesFrom: [`${first}:rw`, `${second}:Z`] });
    const { Mounts } = await inspect(id);
    expect(Mounts).toHaveLength(2);
    expect(Mounts).toEqual(
      expect.arrayContaining([
        expect.objectContaining({ Destination: '/both', RW: false }),
        expect.objectContaining({ Destination: '/data', Name: 'two' }),
      ]),
    );
  });

  it('keeps an anonymous volume that a removed box had mounted by its name', async () => {
    const { Name } = (await make({})).body as { Name: string };
    const id = await withMounts({ Binds: [`${Name}:/data`] });
    await home.call('DELETE', `/containers/${id}?v=1`);
    expect(await list()).toEqual([Name]);
  });

  it('makes an anonymous volume for a bind that is one path', async () => {
    const id = await withMounts({ Binds: ['/data'] });
    const anonymous = { Type: 'volume', Destination: '/data' };
    expect((await inspect(id)).Mounts).toMatchObject([anonymous]);
    expect((await inspect(id)).HostConfig['Binds']).toBeNull();
  });

  it('fills a volume with two places at the outer one', async () => {
    const id = await withMounts({ Binds: ['data:/x/y', 'data:/x'] });
    await start(id);
    expect(mountsOf(id)?.map((mount) => [mount.destination, fillOf(mount)])).toEqual([
      ['/x', true],
      ['/x/y', undefined],
    ]);
  });

  it('refuses to remove the volume of a box, and leaves a named one when the box is removed', async () => {
    const id = await withMounts({ Binds: ['data:/data'] });
    const refused = await home.call('DELETE', '/volumes/data');
    expect(refused).toMatchObject({
      ...{ status: 409, body: { message: `remove data: volume is in use - [${id}]` } },
    });
    await home.call('DELETE', `/containers/${id}?v=1`);
    expect(await list()).toEqual(['data']);
  });

  it.each([
    ['', 1],
    ['?v=1', 0],
  ])('removes a box with the query %j, and leaves %i anonymous volumes', async (query, left) => {
    const id = await withMounts({}, { Volumes: { '/data': {} } });
    await home.call('DELETE', `/containers/${id}${query}`);
    expect(await list()).toHaveLength(left);
    expect(readdirSync(join(home.config.home, 'volumes'))).toHaveLength(left);
  });

  it('removes the anonymous volumes of a box that is removed at its end, unless another box mounts them', async () => {
    const volumes = { Volumes: { '/data': {} } };
    const alone = await withMounts({ AutoRemove: true }, volumes);
    const shared = await withMounts({ AutoRemove: true }, volumes);
    await withMounts({ VolumesFrom: [shared] });
    for (const id of [alone, shared]) {
      await start(id);
      await home.call('POST', `/containers/${id}/kill`);
      await home.call('POST', `/containers/${id}/wait?condition=removed`);
    }
    expect(await list()).toHaveLength(1);
  });

  it('leaves no anonymous volume when the creation of a box fails', async () => {
    await home.create(['true'], {}).then(() => undefined);
    const body = { Image: 'absent', Volumes: { '/data': {} } };
    expect((await home.call('POST', '/containers/create', body)).status).toBe(404);
    expect(existsSync(join(home.config.home, 'volumes'))).toBe(false);
  });

  it('keeps the volumes of a box over a crash of the server', async () => {
    const id = await withMounts({ Binds: ['data:/data'] });
    await home.crash();
    await home.start();
    expect((await inspect(id)).Mounts).toMatchObject([{ Name: 'data' }]);
    expect((await home.call('DELETE', '/volumes/data')).status).toBe(409);
  });
});
