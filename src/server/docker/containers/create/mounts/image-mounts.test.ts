// Other images that a box mounts, from a request to the guest's spec and the inspection.
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestHome } from '../../../../testing/home.ts';
import { TEST_IMAGE } from '../../../../testing/images.ts';
import { MovingImages, OTHER } from '../../../../testing/moving-images.ts';
import { allow, deny } from '../../../../testing/signed-images.ts';

const APP = {
  ...TEST_IMAGE,
  id: `sha256:${'6'.repeat(64)}` as const,
  manifestDigest: `sha256:${'7'.repeat(64)}` as const,
  tags: ['team.example/app:1'],
};

let images: MovingImages;
let home: TestHome;
beforeEach(async () => {
  images = new MovingImages(TEST_IMAGE, APP, OTHER);
  home = new TestHome(images);
  await home.start();
});
afterEach(() => home.remove());

const mount = (Source: string, Target: string, more: object = {}) => ({
  ...{ Type: 'image', Source, Target },
  ...more,
});
const ask = (Mounts: readonly object[], more: object = {}) =>
  home.call('POST', '/containers/create', {
    ...{ Image: 'busybox:latest', Cmd: ['sleep', 'infinity'], HostConfig: { Mounts } },
    ...more,
  });
async function create(Mounts: readonly object[], more: object = {}): Promise<string> {
  const { status, body } = await ask(Mounts, more);
  expect({ status, body }).toMatchObject({ status: 201 });
  return (body as { Id: string }).Id;
}
const start = (id: string) => home.call('POST', `/containers/${id}/start`);
const inspect = async (id: string) =>
  (await home.call('GET', `/containers/${id}/json`)).body as Record<string, unknown>;

const NAME = 'other.example/app:1';

it('gives the guest the layers of each image once, and read-only mounts of them', async () => {
  const id = await create([
    mount(NAME, '/models/a'),
    mount('team.example/app:1', '/app', { ReadOnly: true }),
    mount(NAME, '/b', { ImageOptions: { Subpath: './usr//share/' } }),
  ]);
  expect((await start(id)).status).toBe(204);
  const of = (number: number) => ({
    ...{ kind: 'image', layers: [{ serial: `image-${number}-0` }], readonly: true },
  });
  expect(home.agents.get(id)?.spec?.mounts).toEqual([
    { ...of(1), destination: '/app' },
    { ...of(0), destination: '/b', subpath: 'usr/share' },
    { ...of(0), destination: '/models/a' },
  ]);
  expect(
    home.host.launches.at(-1)?.disks.filter(({ serial }) => serial.startsWith('image-')),
  ).toMatchObject([
    { serial: 'image-0-0', readonly: true },
    { serial: 'image-1-0', readonly: true },
  ]);
});

it('shows the images as they were asked for', async () => {
  const id = await create([mount(NAME, '/b/', { ImageOptions: { Subpath: 'usr' } })]);
  expect(await inspect(id)).toMatchObject({
    HostConfig: {
      Mounts: [{ Type: 'image', Source: NAME, Target: '/b', ImageOptions: { Subpath: 'usr' } }],
    },
    Mounts: [{ Type: 'image', Source: NAME, Destination: '/b', Mode: '', RW: false }],
  });
});

it('keeps the image that a name meant at create, while boxes mount it', async () => {
  const id = await create([mount(NAME, '/b')]);
  images.change(OTHER.id, { tags: [] });
  images.change(APP.id, { tags: [NAME] });
  expect((await start(id)).status).toBe(204);
  const [held] = home.runtime.store.expect(id).definition.imageMounts;
  expect(held?.image.id).toBe(OTHER.id);
  expect(await home.call('DELETE', `/images/${OTHER.id}?force=1`)).toMatchObject({
    ...{ status: 409, body: { code: 'image-in-use' } },
  });
});

describe('an image policy', () => {
  const refused = { status: 403, body: { code: 'image-untrusted' } };

  it('decides about a mounted image at create, and no box is made', async () => {
    home.trust.rules = [allow('docker.io/**'), deny('**')];
    expect(await ask([mount(NAME, '/b')])).toMatchObject(refused);
    expect(home.runtime.store.list()).toEqual([]);
  });

  it('decides again at each start', async () => {
    const id = await create([mount(NAME, '/b')]);
    home.trust.rules = [allow('docker.io/**'), deny('**')];
    expect(await start(id)).toMatchObject(refused);
    expect(home.host.launches).toEqual([]);
    // The decision on record is the one about the box's own image.
    expect(await inspect(id)).toMatchObject({ Trust: { verdict: 'unsigned' } });
    home.trust.rules = [allow('**')];
    expect((await start(id)).status).toBe(204);
  });
});

it('mounts an image in place of a declared volume, and passes it on to no other box', async () => {
  const id = await create([mount(NAME, '/data')], { Volumes: { '/data': {} } });
  expect(home.runtime.store.expect(id).definition.volumeMounts).toEqual([]);
  const HostConfig = { VolumesFrom: [id] };
  const other = await create([], { HostConfig });
  expect(home.runtime.store.expect(other).definition.imageMounts).toEqual([]);
});

it.each([
  [[mount('', '/b')], 400, 'field Source must not be empty'],
  [[mount(NAME, '')], 400, 'field Target must not be empty'],
  [[mount(NAME, '/proc/b')], 400, 'the box has its own /proc'],
  [[mount(NAME, '/b'), mount(NAME, '/b/')], 400, 'Duplicate mount point: /b'],
  [[mount('no-such', '/b')], 404, 'No such image: no-such'],
  [[mount(NAME, '/b', { BindOptions: {} })], 400, 'BindOptions must not be specified'],
  [[mount(NAME, '/b', { VolumeOptions: {} })], 400, 'VolumeOptions must not be specified'],
  [[mount(NAME, '/b', { TmpfsOptions: {} })], 400, 'TmpfsOptions must not be specified'],
  [[{ Type: 'volume', Target: '/b', ImageOptions: {} }], 400, 'ImageOptions must not be specified'],
  [
    [mount(NAME, '/b', { ImageOptions: { Subpath: 'a/../../b' } })],
    400,
    'subpath must be a relative path within the image',
  ],
])('refuses the mounts %j', async (Mounts, status, message) => {
  const answer = await ask(Mounts);
  expect(answer).toMatchObject({ status, body: { message: expect.stringContaining(message) } });
  expect(home.runtime.store.list()).toEqual([]);
});

it('refuses a memory snapshot of a box that mounts an image', async () => {
  const id = await create([mount(NAME, '/b')]);
  expect((await start(id)).status).toBe(204);
  const answer = await home.call('POST', '/a3s/v1/snapshots', { box: id, memory: true });
  expect(answer).toMatchObject({ status: 400, body: { code: 'unsupported-option' } });
  expect(JSON.stringify(answer.body)).toContain('it has the image /b');
});
