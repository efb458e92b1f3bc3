import { readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import type { BoxSpec } from '@a3s-box/policies';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Image } from '../../../images/image.ts';
import { TestHome } from '../../testing/home.ts';
import { FakeImages, TEST_IMAGE } from '../../testing/images.ts';

const DATABASE: Image = {
  ...TEST_IMAGE,
  id: `sha256:${'4'.repeat(64)}`,
  manifestDigest: `sha256:${'5'.repeat(64)}`,
  tags: ['database:latest'],
  config: { ...TEST_IMAGE.config, volumes: ['/data'] },
};
const SIZE = 64 * 2 ** 20;
const DriverOpts = { type: 'disk', size: '64m' };

let home: TestHome;
beforeEach(async () => {
  home = new TestHome(new FakeImages(TEST_IMAGE, DATABASE));
  await home.start();
});
afterEach(() => home.remove());

const make = (Name = 'data') => home.call('POST', '/volumes/create', { Name, DriverOpts });
const create = (HostConfig: unknown, more = {}) =>
  home.create(['sleep', 'infinity'], { HostConfig, ...more });
const start = (id: string) => home.call('POST', `/containers/${id}/start`);
const started = async (HostConfig: unknown, more = {}) => {
  const id = await create(HostConfig, more);
  expect(await start(id)).toMatchObject({ status: 204 });
  return id;
};
const kill = async (id: string) => {
  await home.call('POST', `/containers/${id}/kill`);
  await home.call('POST', `/containers/${id}/wait`);
};
const mountsOf = (id: string) => home.agents.get(id)?.spec?.mounts;
const fillOf = (mount: BoxSpec['mounts'][number]) =>
  mount.kind === 'image' ? undefined : mount.fill;
const disksOf = (id: string) =>
  home.host.running
    .find(({ spec }) => spec.id === id)
    ?.spec.disks.filter(({ serial }) => serial.startsWith('volume-'));
const inspect = async (name: string) => (await home.call('GET', `/volumes/${name}`)).body;

describe('a volume that is a disk', () => {
  it('shows its options, its size, and which box has it', async () => {
    const path = join(home.config.home, 'volumes/data/_disk');
    expect(await make()).toMatchObject({
      ...{ status: 201, body: { Name: 'data', Options: DriverOpts, Mountpoint: path } },
    });
    expect(statSync(path).size).toBe(SIZE);
    const AllocatedBytes = statSync(path).blocks * 512;
    const Status = { SizeBytes: SIZE, AllocatedBytes, Box: '' };
    expect(AllocatedBytes).toBeLessThan(SIZE / 4);
    expect(await inspect('data')).toMatchObject({ Status });
    const id = await started({ Binds: ['data:/data'] });
    expect(await inspect('data')).toMatchObject({ Status: { ...Status, Box: id } });
    const { body } = await home.call('GET', '/system/df?type=volume');
    expect(body).toMatchObject({ Volumes: [{ UsageData: { Size: AllocatedBytes, RefCount: 1 } }] });
  });

  it('attaches a disk volume as a disk of the microVM, which the agent fills at the first start alone', async () => {
    await make();
    const id = await started({ Binds: ['data:/data'] });
    const mount = { kind: 'disk', serial: 'volume-0', destination: '/data', readonly: false };
    const path = join(home.config.home, 'volumes/data/_disk');
    expect(mountsOf(id)).toEqual([{ ...mount, fill: true }]);
    expect(disksOf(id)).toEqual([{ path, serial: 'volume-0', readonly: false }]);
    await kill(id);
    expect(await start(id)).toMatchObject({ status: 204 });
    expect(mountsOf(id)).toEqual([mount]);
  });

  it.each([
    ['data:/data:ro', true, undefined],
    ['data:/data:nocopy', false, undefined],
    ['data:/data', false, true],
  ])('mounts a disk volume with %s read-only: %s, and filled: %s', async (bind, readonly, fill) => {
    await make();
    const id = await started({ Binds: [bind] });
    expect(disksOf(id)).toMatchObject([{ readonly }]);
    expect(mountsOf(id)?.map((mount) => [mount.readonly, fillOf(mount)])).toEqual([
      [readonly, fill],
    ]);
  });

  it('attaches one disk for a disk volume at several places, of which a part is one', async () => {
    await make();
    const Mounts = [
      { Type: 'volume', Source: 'data', Target: '/a/part', VolumeOptions: { Subpath: 'x/y' } },
    ];
    const id = await started({ Binds: ['data:/a:ro', 'data:/a/b/c'], Mounts });
    expect(disksOf(id)).toMatchObject([{ serial: 'volume-0', readonly: false }]);
    expect(mountsOf(id)).toEqual([
      { kind: 'disk', serial: 'volume-0', destination: '/a', readonly: true },
      {
        ...{ kind: 'disk', serial: 'volume-0', subpath: 'x/y' },
        destination: '/a/part',
        readonly: false,
      },
      {
        ...{ kind: 'disk', serial: 'volume-0', destination: '/a/b/c' },
        readonly: false,
        fill: true,
      },
    ]);
  });

  it('gives a disk volume to one box at a time, also over a crash of the server', async () => {
    await make();
    const first = await started({ Binds: ['data:/data'] });
    const second = await create({ Binds: ['data:/data:ro'] });
    const refusal = {
      status: 409,
      body: { message: expect.stringContaining(`which the box ${first.slice(0, 12)} has`) },
    };
    expect(await start(second)).toMatchObject(refusal);
    await home.crash();
    await home.start();
    expect(await start(second)).toMatchObject(refusal);
    await kill(first);
    expect(await start(second)).toMatchObject({ status: 204 });
  });

  it('makes a disk volume by the long form of a mount, and refuses an unknown option before it makes anything', async () => {
    const mounts = (Options: unknown) => ({
      Mounts: [...[{ Type: 'volume', Source: 'data', Target: '/data' }]].map((each) => ({
        ...each,
        VolumeOptions: { DriverConfig: { Name: 'local', Options } },
      })),
    });
    const body = { Image: 'busybox', HostConfig: mounts({ ...DriverOpts, foo: '1' }) };
    expect(await home.call('POST', '/containers/create', body)).toMatchObject({
      ...{ status: 400, body: { message: expect.stringContaining('invalid option: "foo"') } },
    });
    await create(mounts(DriverOpts));
    expect(await inspect('data')).toMatchObject({ Options: DriverOpts });
  });
});

it('makes disks of the volumes that an image declares where owners are not kept', async () => {
  await home.stop();
  home.keepOwners = false;
  await home.start();
  const id = await started({}, { Image: 'database' });
  expect(mountsOf(id)).toMatchObject([{ kind: 'disk', destination: '/data', fill: true }]);
  expect(disksOf(id)).toMatchObject([{ readonly: false }]);
  await home.call('DELETE', `/containers/${id}?v=1&force=1`);
  expect(readdirSync(join(home.config.home, 'volumes'))).toEqual([]);
});
