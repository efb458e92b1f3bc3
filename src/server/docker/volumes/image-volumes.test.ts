import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Image } from '../../../images/image.ts';
import { TestHome } from '../../testing/home.ts';
import { FakeImages, TEST_IMAGE } from '../../testing/images.ts';

const declaring = (name: string, digit: string, volumes: readonly string[]): Image => ({
  ...TEST_IMAGE,
  id: `sha256:${digit.repeat(64)}`,
  manifestDigest: `sha256:${digit.repeat(63)}0`,
  tags: [`${name}:latest`],
  config: { ...TEST_IMAGE.config, volumes },
});
const IMAGES = [
  TEST_IMAGE,
  declaring('database', '4', ['/data/', 'log']),
  declaring('hostile', '5', ['/fine', '/x/../proc']),
  declaring(
    'many',
    '6',
    Array.from({ length: 21 }, (_, index) => `/v${index}`),
  ),
];

let home: TestHome;
beforeEach(async () => {
  home = new TestHome(new FakeImages(...IMAGES));
  await home.start();
});
afterEach(() => home.remove());

interface Shown {
  Mounts: { Name?: string; Destination: string; Type: string; RW: boolean }[];
  Config: { Volumes: unknown };
}
const create = (HostConfig: unknown = {}, more = {}) =>
  home.create(['sleep', 'infinity'], { Image: 'database', HostConfig, ...more });
const inspect = async (id: string) =>
  (await home.call('GET', `/containers/${id}/json`)).body as Shown;
const volumesOf = async (id: string) =>
  Object.fromEntries((await inspect(id)).Mounts.map((each) => [each.Destination, each.Name]));
const list = async () => {
  const { body } = await home.call('GET', '/volumes');
  return (body as { Volumes: { Name: string }[] }).Volumes.map(({ Name }) => Name);
};
const start = async (id: string) =>
  expect(await home.call('POST', `/containers/${id}/start`)).toMatchObject({ status: 204 });

describe('a box of an image that declares volumes', () => {
  it('mounts an anonymous volume for each that the image declares, which the agent fills from it', async () => {
    const id = await create();
    const { Mounts, Config } = await inspect(id);
    const [data, log] = ['/data', '/log'].map((Destination) => ({
      ...{ Type: 'volume', Destination, Driver: 'local', Mode: '', RW: true },
      Name: expect.stringMatching(/^[0-9a-f]{64}$/),
    }));
    expect(Mounts).toMatchObject([data, log]);
    expect(Config.Volumes).toEqual({ '/data/': {}, log: {} });
    await start(id);
    const { spec } = home.agents.get(id) ?? {};
    expect(spec?.directories).toBeUndefined();
    expect(spec?.mounts).toMatchObject([
      { destination: '/data', fill: true },
      { destination: '/log', fill: true },
    ]);
  });

  it.each([
    ['a volume', { Binds: ['named:/data'] }, 'named'],
    ['a bind mount', { Binds: ['/tmp:/data'] }, undefined],
    [
      'a mount in the long form',
      { Mounts: [{ Type: 'bind', Source: '/tmp', Target: '/data/' }] },
      undefined,
    ],
  ])('mounts %s in the place of a declared volume', async (_, HostConfig, name) => {
    const volumes = await volumesOf(await create(HostConfig));
    expect(Object.keys(volumes).sort()).toEqual(['/data', '/log']);
    expect(volumes['/data']).toBe(name);
  });

  it('mounts a tmpfs in the place of a declared volume', async () => {
    const id = await create({ Tmpfs: { '/data': '' } });
    expect(Object.keys(await volumesOf(id))).toEqual(['/log']);
  });

  it('shares them with a box that takes its mounts', async () => {
    const source = await create();
    const id = await create({ VolumesFrom: [source] });
    expect(await volumesOf(id)).toEqual(await volumesOf(source));
    expect(await list()).toHaveLength(2);
  });

  it('hands them to a box in its place that names them, as Compose does', async () => {
    const first = await create();
    const { '/data': data, '/log': log } = await volumesOf(first);
    const Binds = [`${data}:/data:rw`, `${log}:/log:rw`];
    const second = await create({ Binds }, { Volumes: { '/data': {}, '/log': {} } });
    await home.call('DELETE', `/containers/${first}?v=1`);
    expect(await volumesOf(second)).toEqual({ '/data': data, '/log': log });
    expect(await list()).toHaveLength(2);
  });

  it.each([
    [0, false],
    [1, true],
  ])(
    'removes a box with --rm and its volumes at its end, with %i other boxes on them, after it was synced: %s',
    async (others, synced) => {
      const id = await create({ AutoRemove: true });
      for (let n = 0; n < others; n++) await create({ VolumesFrom: [id] });
      await start(id);
      let poweredOff = false;
      void home.agents.get(id)?.poweredOff.then(() => {
        poweredOff = true;
      });
      await home.call('POST', `/containers/${id}/kill`);
      await home.call('POST', `/containers/${id}/wait?condition=removed`);
      expect(poweredOff).toBe(synced);
      expect(await list()).toHaveLength(2 * others);
    },
  );

  it.each([
    ['', 2],
    ['?v=1', 0],
  ])('leaves with the query %j %i volumes when it is removed', async (query, left) => {
    await home.call('DELETE', `/containers/${await create()}${query}`);
    expect(await list()).toHaveLength(left);
  });

  it.each([
    ['hostile', 'its volume /proc cannot be mounted'],
    ['many', 'it declares 21 volumes, more than 20'],
  ])('refuses a box of the image %s, and leaves no volume', async (Image, message) => {
    const call = await home.call('POST', '/containers/create', { Image });
    expect(call).toMatchObject({
      ...{
        status: 400,
        body: { code: 'invalid-image', message: expect.stringContaining(message) },
      },
    });
    expect(await list()).toEqual([]);
  });
});
