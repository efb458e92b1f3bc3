import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../state/database.ts';
import { migrations } from './catalog/catalog-migrations.ts';
import { chainIds } from './chain-ids.ts';
import type { ImageStore } from './image.ts';
import { openImageStore } from './store.ts';
import {
  buildImage,
  dockerArchive,
  ociArchive,
  ociLayout,
  writeOciLayout,
} from './testing/build-image.ts';
import { busyboxImage, distrolessImage } from './testing/busybox-image.ts';
import { convertHere } from './testing/convert-here.ts';
import { writeTar } from './testing/tar-writer.ts';

let root: string;
let database: Database;
let store: ImageStore;

async function open(): Promise<void> {
  database = openDatabase(join(root, 'state.db'), migrations);
  store = await openImageStore({
    directory: join(root, 'images'),
    database,
    converter: convertHere,
  });
}

beforeEach(async () => {
  root = mkdtempSync(join(tmpdir(), 'a3s-images-'));
  await open();
});

afterEach(() => {
  database.close();
  rmSync(root, { recursive: true, force: true });
});

async function* streamed(bytes: Buffer, size = 10_000): AsyncGenerator<Uint8Array> {
  for (let at = 0; at < bytes.length; at += size) yield bytes.subarray(at, at + size);
}

const fileImage = (name: string, text: string, extra: object = {}) =>
  buildImage({ name, layers: [[{ path: 'file', data: text }]], ...extra });

function leftOvers(): string[] {
  return readdirSync(join(root, 'images/staging'));
}

const disks = () => readdirSync(join(root, 'images/erofs'));
const blobs = () => readdirSync(join(root, 'images/blobs/sha256'));
const inUse = () => false;

describe('load', () => {
  it('loads an OCI layout from tar, from gzip and from a directory', async () => {
    const image = buildImage(busyboxImage());
    const archive = ociArchive([image]);
    const directory = join(root, 'layout');
    writeOciLayout(directory, [image]);
    const loads = [
      () => store.load(streamed(archive)),
      () => store.load(streamed(gzipSync(archive))),
      () => store.loadDirectory(directory),
    ];
    for (const load of loads) {
      const [loaded] = await load();
      expect(loaded).toMatchObject({
        id: image.config.digest,
        manifestDigest: image.manifest.digest,
        tags: ['busybox:latest'],
        config: { cmd: ['sh'], entrypoint: [] },
      });
    }
    expect(leftOvers()).toEqual([]);
    expect(await store.list()).toHaveLength(1);
  });

  it('loads every image of a docker-archive', async () => {
    const images = [buildImage(distrolessImage()), fileImage('host:5000/team/app:1', 'x')];
    const loaded = await store.load(streamed(dockerArchive(images)));
    expect(loaded.map(({ id }) => id)).toEqual(images.map(({ config }) => config.digest));
    expect(loaded.map(({ tags }) => tags)).toEqual([
      ['distroless:latest'],
      ['host:5000/team/app:1'],
    ]);
  });

  it('loads a layer that is compressed with zstd', async () => {
    const tar = writeTar([{ path: 'file', data: 'x'.repeat(100_000) }]);
    const zstd = execFileSync('zstd', ['-c', '-'], { input: tar });
    const image = buildImage({ name: 'z:1', layers: [tar], compression: 'none' });
    const archive = writeTar([
      { path: 'config.json', data: image.blobs.get(image.config.digest) ?? '' },
      { path: 'layer.tar', data: zstd },
      {
        path: 'manifest.json',
        data: JSON.stringify([{ Config: 'config.json', RepoTags: ['z:1'], Layers: ['layer.tar'] }]),
      },
    ]);
    const [loaded] = await store.load(streamed(archive));
    expect(loaded?.diffIds).toEqual(image.diffIds);
    const outer = execFileSync('zstd', ['-c', '-'], { input: archive });
    expect((await store.load(streamed(outer)))[0]?.id).toBe(image.config.digest);
  });

  it('moves a name to the last loaded image that has it', async () => {
    const first = fileImage('app:1', 'first');
    const second = fileImage('app:1', 'second');
    await store.load(streamed(ociArchive([first])));
    await store.load(streamed(ociArchive([second])));
    expect((await store.resolve('app:1')).id).toBe(second.config.digest);
    expect((await store.resolve(first.config.digest)).tags).toEqual([]);
  });
});

describe('bootLayers', () => {
  it('returns one read-only disk for each layer, lowest first', async () => {
    const image = buildImage({
      name: 'two:1',
      layers: [[{ path: 'a', data: 'a' }], [{ path: 'b', data: 'b' }]],
    });
    const [loaded] = await store.load(streamed(ociArchive([image])));
    const layers = await store.bootLayers(loaded ?? expect.fail());
    expect(layers.map(({ diffId }) => diffId)).toEqual(image.diffIds);
    for (const { path } of layers) expect(statSync(path).mode & 0o777).toBe(0o400);
  });

  it('returns one empty disk for an image without layers', async () => {
    const [loaded] = await store.load(
      streamed(ociArchive([buildImage({ name: 'none:1', layers: [] })])),
    );
    expect(await store.bootLayers(loaded ?? expect.fail())).toHaveLength(1);
  });

  it('merges the lowest layers of an image with many layers, whiteouts applied', async () => {
    const layers = Array.from({ length: 60 }, (_, index) => [
      { path: `layer-${index}`, data: String(index) },
      ...(index === 3 ? [{ path: '.wh.layer-1' }] : []),
    ]);
    const [loaded] = await store.load(
      streamed(ociArchive([buildImage({ name: 'tall:1', layers })])),
    );
    const disks = await store.bootLayers(loaded ?? expect.fail());
    expect(disks).toHaveLength(56);
    const out = join(root, 'out');
    execFileSync('fsck.erofs', [`--extract=${out}`, disks[0]?.path ?? '']);
    expect(readdirSync(out).sort()).toEqual(['layer-0', 'layer-2', 'layer-3', 'layer-4']);
  });

  it('merges the lowest layers of an image for a box that has room for few', async () => {
    const layers = Array.from({ length: 5 }, (_, index) => [
      { path: `layer-${index}`, data: String(index) },
    ]);
    const [loaded = expect.fail()] = await store.load(
      streamed(ociArchive([buildImage({ name: 'low:1', layers })])),
    );
    const disks = await store.bootLayers(loaded, 3);
    expect(disks).toHaveLength(3);
    const out = join(root, 'out');
    execFileSync('fsck.erofs', [`--extract=${out}`, disks[0]?.path ?? '']);
    expect(readdirSync(out).sort()).toEqual(['layer-0', 'layer-1', 'layer-2']);
    expect(await store.bootLayers(loaded)).toHaveLength(5);
  });

  it('keeps the attributes of a lower directory that an upper layer does not list', async () => {
    const base = [{ path: 'tmp', type: 'directory' as const, mode: 0o1777, uid: 7 }];
    const top = [{ path: 'tmp/x', data: 'x' }];
    const images = [
      buildImage({ name: 'over:1', layers: [base, top] }),
      buildImage({ name: 'alone:1', layers: [top] }),
    ];
    const loaded = await store.load(streamed(ociArchive(images)));
    const texts: string[] = [];
    for (const image of loaded) {
      const last = (await store.bootLayers(image)).at(-1)?.path ?? '';
      texts.push(execFileSync('dump.erofs', ['--path=/tmp', last], { stdio: 'pipe' }).toString());
      rmSync(last);
      await store.bootLayers(image);
      expect(existsSync(last)).toBe(true);
    }
    expect(texts[0]).toMatch(/Uid: 7 .*Access: 0777/);
    expect(texts[1]).toMatch(/Uid: 0 .*Access: 0755/);
    expect(disks()).toHaveLength(3);
  });

  it('rebuilds a missing disk with the same bytes, once for concurrent callers', async () => {
    const [image] = await store.load(streamed(ociArchive([buildImage(busyboxImage())])));
    const [layer] = await store.bootLayers(image ?? expect.fail());
    const path = layer?.path ?? '';
    const bytes = readFileSync(path);
    rmSync(path);
    await Promise.all([1, 2, 3].map(() => store.bootLayers(image ?? expect.fail())));
    expect(readFileSync(path).equals(bytes)).toBe(true);
    expect(leftOvers()).toEqual([]);
  });

  it('refuses a stored blob that was changed, and suggests a remedy for a missing one', async () => {
    const built = fileImage('app:1', 'text', { compression: 'none' });
    const [image] = await store.load(streamed(ociArchive([built])));
    const [layer] = await store.bootLayers(image ?? expect.fail());
    const blob = join(root, 'images/blobs/sha256', built.layers[0]?.digest.slice(7) ?? '');
    rmSync(layer?.path ?? '');
    const bytes = readFileSync(blob);
    rmSync(blob);
    await expect(store.bootLayers(image ?? expect.fail())).rejects.toMatchObject({
      code: 'invalid-image',
      remedy: 'Load the image again.',
    });
    writeFileSync(blob, Buffer.concat([bytes, Buffer.alloc(512)]));
    await expect(store.bootLayers(image ?? expect.fail())).rejects.toMatchObject({
      code: 'invalid-image',
    });
    expect(existsSync(layer?.path ?? '')).toBe(false);
  });
});

describe('resolve', () => {
  it('finds an image by each of its names, its id and a prefix of it', async () => {
    const image = fileImage('docker.io/library/redis:7', 'x');
    await store.load(streamed(ociArchive([image])));
    const { digest } = image.config;
    const names = [
      'redis:7',
      'library/redis:7',
      'docker.io/library/redis:7',
      digest,
      digest.slice(7),
      digest.slice(7, 19),
      digest.slice(0, 11),
      image.manifest.digest,
      `redis@${image.manifest.digest}`,
    ];
    for (const name of names) expect((await store.resolve(name)).id).toBe(digest);
    for (const name of ['redis', 'redis:8', `other@${image.manifest.digest}`, 'abc', 'ffffffff']) {
      await expect(store.resolve(name)).rejects.toMatchObject({ code: 'no-such-image' });
    }
    await expect(store.resolve('../redis')).rejects.toMatchObject({ code: 'invalid-reference' });
  });
});

describe('remove', () => {
  it('returns from a load only the names that the archive has, though the image has others', async () => {
    const image = fileImage('app:1', 'same');
    await store.load(streamed(ociArchive([image])));
    const [again] = await store.load(streamed(ociArchive([{ ...image, name: 'app:2' }])));
    expect(again?.tags).toEqual(['app:2']);
    expect((await store.resolve('app:1')).tags).toEqual(['app:1', 'app:2']);
  });

  it('removes a name, and with the last name the image, its blobs and its disks', async () => {
    const image = fileImage('app:1', 'x');
    await store.load(streamed(ociArchive([image])));
    await store.load(streamed(ociArchive([{ ...image, name: 'app:2' }])));
    expect(await store.remove('app:1', { force: false, inUse })).toEqual({
      untagged: ['app:1'],
      deleted: [],
      layers: [],
    });
    expect(await store.remove('app:2', { force: false, inUse })).toEqual({
      untagged: ['app:2'],
      deleted: [image.config.digest],
      layers: image.diffIds,
    });
    expect([blobs(), disks(), await store.list()]).toEqual([[], [], []]);
  });

  it('keeps the blobs that another image shares when an image is removed', async () => {
    const shared = [{ path: 'shared', data: 'x' }];
    const images = ['a:1', 'b:1'].map((name) =>
      buildImage({ name, layers: [shared, [{ path: name, data: name }]] }),
    );
    const [, second] = await store.load(streamed(ociArchive(images)));
    const { layers } = await store.remove('a:1', { force: false, inUse });
    expect(layers).toEqual([chainIds(images[0]?.diffIds ?? [])[1]]);
    expect(disks()).toHaveLength(2);
    expect(await store.bootLayers(second ?? expect.fail())).toHaveLength(2);
  });

  it('never deletes an image that a box uses, even when forced', async () => {
    const image = fileImage('app:1', 'x');
    await store.load(streamed(ociArchive([image])));
    const held = () => true;
    await expect(store.remove('app:1', { force: false, inUse: held })).rejects.toMatchObject({
      code: 'image-in-use',
    });
    expect(await store.remove('app:1', { force: true, inUse: held })).toEqual({
      untagged: ['app:1'],
      deleted: [],
      layers: [],
    });
    await expect(
      store.remove(image.config.digest, { force: true, inUse: held }),
    ).rejects.toMatchObject({ code: 'image-in-use' });
    expect(disks()).toHaveLength(1);
  });

  it('removes an image with several names by its id only when forced', async () => {
    const image = fileImage('app:1', 'x');
    await store.load(streamed(ociArchive([image, { ...image, name: 'app:2' }])));
    const { digest } = image.config;
    await expect(store.remove(digest, { force: false, inUse })).rejects.toMatchObject({
      code: 'conflict',
    });
    expect(await store.remove(digest, { force: true, inUse })).toEqual({
      untagged: ['app:1', 'app:2'],
      deleted: [digest],
      layers: image.diffIds,
    });
  });
});

describe('after a crash', () => {
  it('keeps loaded images after a crash, and removes unfinished files', async () => {
    const image = fileImage('app:1', 'x');
    await store.load(streamed(ociArchive([image])));
    const kept = [...blobs(), ...disks()];
    database.close();
    mkdirSync(join(root, 'images/staging/half'));
    writeFileSync(join(root, 'images/staging/half/1'), 'half');
    writeFileSync(join(root, 'images/blobs/sha256', '0'.repeat(64)), 'orphan');
    writeFileSync(join(root, 'images/erofs', `${'0'.repeat(64)}.v1.erofs`), 'orphan');
    writeFileSync(join(root, 'images/.index.json.new'), 'half');
    await open();
    expect([...blobs(), ...disks()]).toEqual(kept);
    expect(leftOvers()).toEqual([]);
    const loaded = await store.resolve('app:1');
    expect(await store.bootLayers(loaded)).toHaveLength(1);
  });

  it('refuses a store of another version', async () => {
    database.close();
    appendFileSync(join(root, 'images/oci-layout'), ' ');
    await expect(open()).rejects.toMatchObject({ code: 'state-unusable' });
    database.close();
    writeFileSync(
      join(root, 'images/oci-layout'),
      ociLayout([]).get('oci-layout') ?? expect.fail(),
    );
    await open();
  });
});

describe('the layout on disk', () => {
  it('stores images in a layout that skopeo reads', async () => {
    await store.load(streamed(dockerArchive([buildImage(busyboxImage())])));
    const out = execFileSync('skopeo', [
      'inspect',
      `oci:${join(root, 'images')}:docker.io/library/busybox:latest`,
    ]);
    expect(JSON.parse(out.toString())).toMatchObject({ Os: 'linux' });
  });
});

it('refuses an unreadable image record, and keeps it with its files', async () => {
  await store.load(streamed(ociArchive([fileImage('test/kept:1', 'kept')])));
  database
    .prepare("UPDATE image_manifests SET record = json_remove(record, '$.layers[0].blob')")
    .run();
  database.close();
  const files = () => readdirSync(join(root, 'images'), { recursive: true }).map(String).sort();
  const before = files();
  await expect(open()).rejects.toMatchObject({
    code: 'state-unusable',
    remedy: expect.stringContaining('A3S_HOME'),
  });
  expect(files()).toEqual(before);
  expect(database.prepare('SELECT count(*) FROM image_manifests').pluck().get()).toBe(1);
});
