// Mounts in memory, parts of volumes, the root and the disk, from a request to the guest's spec and
// the inspection.
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestHome } from '../../../../testing/home.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
});
afterEach(() => home.remove());

const make = (HostConfig: object, more = {}) =>
  home.create(['sleep', 'infinity'], { HostConfig, ...more });
const inspect = async (id: string) =>
  (await home.call('GET', `/containers/${id}/json`)).body as {
    readonly Mounts: readonly unknown[];
    readonly HostConfig: Readonly<Record<string, unknown>>;
  };
const specOf = (id: string) => home.agents.get(id)?.spec;
const run = async (id: string) => {
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  return specOf(id);
};

describe('mounts in memory', () => {
  const asked = {
    Tmpfs: { '/run/': 'size=1m,exec', '/half': '' },
    Mounts: [
      { Type: 'tmpfs', Target: '/long', TmpfsOptions: { SizeBytes: 65_536, Mode: 0o700 } },
      { Type: 'tmpfs', Target: '/closed', ReadOnly: true, TmpfsOptions: { Options: [['exec']] } },
    ],
    ReadonlyRootfs: true,
    ShmSize: 2 ** 20,
    Memory: 100 * 2 ** 20,
  };

  it('puts tmpfs mounts into the spec of every start, and into the inspection as Docker does', async () => {
    const id = await make(asked);
    const { Mounts, HostConfig } = await inspect(id);
    const shown = { Type: 'tmpfs', Source: '', Mode: '', Propagation: '' };
    expect(Mounts).toEqual([
      { ...shown, Destination: '/long', RW: true },
      { ...shown, Destination: '/closed', RW: false },
    ]);
    expect(HostConfig).toMatchObject(asked);
    const expected = {
      rootfs: { readonly: true },
      shmBytes: 2 ** 20,
      tmpfs: [
        { destination: '/closed', readonly: true, sizeBytes: 50 * 2 ** 20, flags: ['exec'] },
        { destination: '/half', readonly: false, sizeBytes: 50 * 2 ** 20, flags: [] },
        { destination: '/long', readonly: false, sizeBytes: 65_536, mode: 0o700, flags: [] },
        { destination: '/run', readonly: false, sizeBytes: 2 ** 20, flags: ['exec'] },
      ],
    };
    expect(await run(id)).toMatchObject(expected);
    await home.call('POST', `/containers/${id}/restart?t=0`);
    expect(specOf(id)).toMatchObject(expected);
  });

  it('puts a tmpfs in place of an anonymous or inherited volume, and inherits no tmpfs', async () => {
    const { body } = await home.call('POST', '/containers/create?name=source', {
      ...{ Image: 'busybox', HostConfig: { Tmpfs: { '/own': '' }, Binds: ['data:/data'] } },
    });
    expect(body).toMatchObject({ Warnings: [] });
    const id = await make(
      { VolumesFrom: ['source'], Tmpfs: { '/data': '', '/v': '' } },
      { Volumes: { '/v': {} } },
    );
    const spec = await run(id);
    expect(spec?.mounts).toEqual([]);
    expect(spec?.tmpfs?.map(({ destination }) => destination)).toEqual(['/data', '/v']);
  });

  it.each([
    [{ Tmpfs: { '/run': '' }, Binds: ['xx:/run'] }, 'Duplicate mount point: /run'],
    [{ Tmpfs: { '/run': '' }, Binds: ['/tmp:/run/'] }, 'Duplicate mount point: /run'],
    [{ Tmpfs: { '/run': '', '/run/': '' } }, 'Duplicate mount point: /run'],
    [
      { Tmpfs: { '/run': '' }, Mounts: [{ Type: 'tmpfs', Target: '/run' }] },
      'Duplicate mount point: /run',
    ],
    [{ Tmpfs: { '/proc/x': '' } }, 'Cannot mount at /proc/x: the box has its own /proc'],
    [{ Tmpfs: { '/sys': '' } }, 'Cannot mount at /sys: the box has its own /sys'],
    [{ Tmpfs: { '/dev': '' } }, 'Cannot mount at /dev: the box has its own /dev'],
    [{ Mounts: [{ Type: 'tmpfs', Target: '/dev/pts' }] }, 'the box has its own /dev'],
    [{ Tmpfs: { '/run': 'foobar' } }, 'invalid tmpfs option "foobar"'],
    [
      { Mounts: [{ Type: 'tmpfs', Target: '/a', Source: 'x' }] },
      'invalid mount config for type "tmpfs": field Source must not be specified',
    ],
    [{ Mounts: [{ Type: 'tmpfs', Target: '/a', BindOptions: {} }] }, 'BindOptions must not be'],
    [{ Mounts: [{ Type: 'volume', Target: '/a', TmpfsOptions: {} }] }, 'TmpfsOptions must not be'],
    [
      { Mounts: [{ Type: 'tmpfs', Target: '/a', TmpfsOptions: { Options: [['suid']] } }] },
      'invalid option: suid',
    ],
    [
      { Mounts: [{ Type: 'tmpfs', Target: '/a', TmpfsOptions: { Options: [[]] } }] },
      'invalid option array length',
    ],
    [{ ShmSize: -1 }, 'SHM size can not be less than 0'],
    [{ StorageOpt: { size: '1M' } }, 'the size of a writable layer is from'],
    [{ StorageOpt: { size: '9T' } }, 'the size of a writable layer is from'],
    [{ StorageOpt: { size: 'big' } }, "invalid size: 'big'"],
    [{ StorageOpt: { size: '1G', SIZE: '2G' } }, 'size is there twice'],
  ])('refuses the mounts %j', async (HostConfig, message) => {
    const body = { Image: 'busybox', HostConfig };
    expect(await home.call('POST', '/containers/create', body)).toMatchObject({
      ...{ status: 400, body: { message: expect.stringContaining(message) } },
    });
  });

  it('replaces /dev/shm by a tmpfs', async () => {
    const spec = await run(await make({ Tmpfs: { '/dev/shm': 'size=1m' } }));
    expect(spec?.tmpfs).toMatchObject([{ destination: '/dev/shm', sizeBytes: 2 ** 20 }]);
  });
});

describe('a part of a volume', () => {
  const part = (Subpath: string, Source = 'data') => ({
    Mounts: [{ Type: 'volume', Source, Target: '/part', VolumeOptions: { Subpath } }],
  });
  const data = () => join(home.config.home, 'volumes/data/_data');

  it('shares the subpath of a volume instead of the whole volume', async () => {
    await home.call('POST', '/volumes/create', { Name: 'data' });
    await mkdir(join(data(), 'a/b'), { recursive: true });
    await writeFile(join(data(), 'a/file'), '');
    const id = await make(part('./a//b/'));
    expect((await inspect(id)).HostConfig).toMatchObject({
      Mounts: [{ Type: 'volume', Source: 'data', VolumeOptions: { Subpath: 'a/b' } }],
    });
    expect((await run(id))?.mounts).toEqual([
      { kind: 'virtiofs', tag: 'volume-0', destination: '/part', readonly: false },
    ]);
    expect(home.host.launches.at(-1)?.shares).toMatchObject([
      { path: join(data(), 'a/b'), resolved: true },
    ]);
    const file = await run(await make(part('a/file')));
    expect(file?.mounts).toMatchObject([{ file: 'file' }]);
  });

  it('refuses to start with a subpath that is missing, or outside of the volume', async () => {
    await home.call('POST', '/volumes/create', { Name: 'data' });
    const missing = await make(part('none'));
    expect(await home.call('POST', `/containers/${missing}/start`)).toMatchObject({
      ...{ status: 400, body: { message: expect.stringContaining('cannot access path') } },
    });
    await symlink('/etc', join(data(), 'out'));
    const outside = await make(part('out'));
    expect(await home.call('POST', `/containers/${outside}/start`)).toMatchObject({
      ...{ status: 400, body: { message: expect.stringContaining('escapes the base directory') } },
    });
  });

  it.each([
    ['../b', 'data', 'subpath must be a relative path within the volume'],
    ['a/../../b', 'data', 'subpath must be a relative path within the volume'],
    ['/b', 'data', 'subpath must be a relative path within the volume'],
    ['b', '', 'must not set Subpath when using anonymous volumes'],
  ])('refuses the subpath %s of the volume %j', async (path, source, message) => {
    const body = { Image: 'busybox', HostConfig: part(path, source) };
    expect(await home.call('POST', '/containers/create', body)).toMatchObject({
      ...{ status: 400, body: { message: expect.stringContaining(message) } },
    });
  });

  it('refuses a subpath from a client of an API before 1.45', async () => {
    const body = { Image: 'busybox', HostConfig: part('a') };
    expect(await home.call('POST', '/v1.44/containers/create', body)).toMatchObject({
      ...{ status: 400, body: { message: 'VolumeOptions.Subpath needs API v1.45 or newer' } },
    });
  });
});

it('shows in the inspection whether mounts below a bind are left out or stay writable', async () => {
  const bind = (Target: string, BindOptions: object) => {
    return { Type: 'bind', Source: home.config.home, Target, ReadOnly: true, BindOptions };
  };
  const Mounts = [
    bind('/a', { NonRecursive: true }),
    bind('/b', { CreateMountpoint: true, ReadOnlyNonRecursive: true }),
  ];
  const id = await make({ Mounts });
  expect((await inspect(id)).HostConfig).toMatchObject({ Mounts });
  expect((await run(id))?.mounts).toHaveLength(2);
  const mounted = await make({ Mounts: [{ ...bind('/a', { NonRecursive: true }), Source: '/' }] });
  expect(await home.call('POST', `/containers/${mounted}/start`)).toMatchObject({
    ...{ status: 400, body: { code: 'unsupported-option' } },
  });
});
