import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Image } from '../image.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { buildImage, ociArchive, sha256 } from '../testing/build-image.ts';
import { streamed } from '../testing/streams.ts';
import { writeTar } from '../testing/tar-writer.ts';
import { type TemporaryStore, temporaryStore } from '../testing/temporary-store.ts';
import type { ExtendOptions } from './extend-options.ts';

let temporary: TemporaryStore;
beforeEach(async () => {
  temporary = await temporaryStore();
});
afterEach(() => temporary.remove());

const PARENT = buildImage({
  name: 'docker.io/team/parent:1',
  layers: [
    [
      { path: 'etc', type: 'directory' },
      { path: 'etc/old', data: 'old' },
    ],
    [{ path: 'more', data: 'more' }],
  ],
  config: { Cmd: ['parent'], Env: ['A=1'] },
  history: [{ created: '2020-01-01T00:00:00Z', created_by: 'ADD' }, { empty_layer: true }],
});
const LAYER = writeTar([
  { path: './', type: 'directory' },
  { path: 'etc/', type: 'directory' },
  { path: 'etc/.wh.old', data: '' },
  { path: 'etc/new', mode: 0o640, uid: 7, data: 'new' },
]);
const OPTIONS: ExtendOptions = {
  name: 'team/child:1',
  config: { Cmd: ['child'], Env: ['A=2'], Shell: ['/bin/ash', '-c'] },
  author: 'me',
  message: 'why',
  createdBy: 'sh -c work',
  created: '2026-01-01T00:00:00Z',
};

async function parent(store = temporary.store): Promise<Image> {
  await store.load(streamed(ociArchive([PARENT])));
  return await store.resolve('team/parent:1');
}
const extend = async (layer: AsyncIterable<Uint8Array>, options: Partial<ExtendOptions> = {}) =>
  temporary.store.extend(await parent(), layer, { ...OPTIONS, ...options });

describe('an image that extends another one', () => {
  it('keeps the architecture of its parent, also of one that was imported for arm64', async () => {
    const imported = await temporary.store.import(streamed(writeTar([{ path: 'a', data: 'a' }])), {
      ...{ name: 'team/arm:1', changes: [], message: '', created: '2026-01-01T00:00:00Z' },
      platform: { os: 'linux', architecture: 'arm64' },
    });
    expect(imported).toMatchObject({ architecture: 'arm64' });
    const child = await temporary.store.extend(imported, streamed(LAYER), OPTIONS);
    expect(child).toMatchObject({ architecture: 'arm64' });
  });

  it('makes an image of the layers of its parent and the new one', async () => {
    const image = await extend(streamed(LAYER));
    expect(image).toMatchObject({
      tags: ['team/child:1'],
      diffIds: [...PARENT.diffIds, sha256(LAYER)],
      created: '2026-01-01T00:00:00Z',
      author: 'me',
      config: { cmd: ['child'], env: ['A=2'], entrypoint: [], shell: ['/bin/ash', '-c'] },
      origins: [{ kind: 'commit', reference: 'team/child:1', parent: PARENT.config.digest }],
    });
    const disk = (await temporary.store.bootLayers(image)).at(-1)?.path ?? '';
    expect(execFileSync('dump.erofs', ['--cat', '--path=/etc/new', disk]).toString()).toBe('new');
    expect(execFileSync('dump.erofs', ['--path=/etc/old', disk]).toString()).toMatch(/CHR|char/i);
    await temporary.store.content(image, async ({ manifest, blobs }) => {
      const { layers } = JSON.parse(manifest.bytes.toString());
      expect(layers.slice(0, 2)).toMatchObject(PARENT.layers);
      expect(layers[2].mediaType).toBe('application/vnd.oci.image.layer.v1.tar+gzip');
      expect(blobs).toHaveLength(4);
    });
  });

  it('keeps the history of the parent, a step for each layer, and adds its own step last', async () => {
    const image = await extend(streamed(LAYER));
    const history = await temporary.store.history(image.id);
    expect(history.map(({ createdBy, comment, size }) => [createdBy, comment, size > 0])).toEqual([
      ['sh -c work', 'why', true],
      ['', '', true],
      ['', '', false],
      ['ADD', '', true],
    ]);
  });

  it('adds no layer for an archive without entries', async () => {
    const image = await extend(streamed(Buffer.alloc(1024)), { name: undefined });
    expect(image).toMatchObject({ tags: [], diffIds: PARENT.diffIds, config: { cmd: ['child'] } });
    const [step] = await temporary.store.history(image.id);
    expect(step).toMatchObject({ createdBy: 'sh -c work', size: 0 });
  });

  it('makes the same image of the same bytes, and takes its name from another image', async () => {
    const first = await extend(streamed(LAYER));
    expect((await extend(streamed(LAYER))).manifestDigest).toBe(first.manifestDigest);
    const other = await extend(streamed(LAYER), { message: 'another' });
    expect(other.tags).toEqual(['team/child:1']);
    expect((await temporary.store.resolve(first.id)).tags).toEqual([]);
  });

  it('extends an image although it is removed meanwhile', async () => {
    const image = await extend(
      (async function* () {
        yield LAYER.subarray(0, 700);
        await temporary.store.remove('team/parent:1', { force: true, inUse: () => false });
        yield LAYER.subarray(700);
      })(),
    );
    expect(await temporary.store.bootLayers(image)).toHaveLength(3);
    expect(await temporary.store.list()).toHaveLength(1);
  });

  it('refuses to extend an image that is gone', async () => {
    const gone = await parent();
    await temporary.store.remove('team/parent:1', { force: true, inUse: () => false });
    const work = temporary.store.extend(gone, streamed(LAYER), OPTIONS);
    await expect(work).rejects.toMatchObject({ code: 'no-such-image' });
    expect(await temporary.remains()).toEqual([]);
  });

  it.each([
    ['nothing', Buffer.alloc(0), 'invalid-image'],
    ['no tar', randomBytes(2000), 'invalid-image'],
    ['half a tar', LAYER.subarray(0, 1600), 'invalid-image'],
    ['a name that leads out', writeTar([{ path: '../x', data: 'x' }]), 'invalid-image'],
    ['a whiteout of nothing', writeTar([{ path: '.wh...', data: '' }]), 'invalid-image'],
    [
      'a file through a link of its own',
      writeTar([
        { path: 'a', type: 'symlink', target: '/etc' },
        { path: 'a/passwd', data: 'x' },
      ]),
      'invalid-image',
    ],
  ])('refuses to extend an image by a layer of %s, and leaves nothing', async (_, layer, code) => {
    const from = await parent();
    const before = await temporary.remains();
    const work = temporary.store.extend(from, streamed(layer), OPTIONS);
    await expect(work).rejects.toMatchObject({ code });
    expect(await temporary.remains()).toEqual(before);
  });

  it('refuses a layer that breaks off, and tells its reader', async () => {
    let ended = false;
    const layer = async function* () {
      try {
        yield LAYER.subarray(0, 512);
        throw new Error('the box is gone');
      } finally {
        ended = true;
      }
    };
    await expect(extend(layer())).rejects.toThrow('the box is gone');
    expect(ended).toBe(true);
    expect(await temporary.store.list()).toHaveLength(1);
  });

  it('ends a layer that is larger than the limits', async () => {
    const small = await temporaryStore({ ...DEFAULT_LIMITS, layerBytes: 8000 });
    let ended = false;
    const endless = async function* () {
      try {
        for (;;) yield Buffer.alloc(1000);
      } finally {
        ended = true;
      }
    };
    try {
      const work = small.store.extend(await parent(small.store), endless(), OPTIONS);
      await expect(work).rejects.toMatchObject({ code: 'too-large' });
      expect(ended).toBe(true);
    } finally {
      small.remove();
    }
  });

  it.each([
    [{ name: 'UPPER' }, 'invalid-reference'],
    [{ name: `x@sha256:${'1'.repeat(64)}` }, 'invalid-reference'],
    [{ message: 'x'.repeat(5000) }, 'invalid-argument'],
    [{ author: 'x'.repeat(5000) }, 'invalid-argument'],
  ])(
    'refuses to extend an image with the options %j before it reads the layer',
    async (options, code) => {
      const untouched = { [Symbol.asyncIterator]: () => expect.fail('it was read') };
      await expect(extend(untouched, options)).rejects.toMatchObject({ code });
    },
  );
});
