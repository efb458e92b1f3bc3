import { existsSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MirrorError } from '../../errors.ts';
import type { ImageSource, IngestEvent } from '../image.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { type BuiltImage, buildImage } from '../testing/build-image.ts';
import { Gate } from '../testing/gate.ts';
import { documentOf, MemorySource } from '../testing/memory-source.ts';
import { type TemporaryStore, temporaryStore } from '../testing/temporary-store.ts';

let temporary: TemporaryStore;
beforeEach(async () => {
  temporary = await temporaryStore();
});
afterEach(() => temporary.remove());

const inUse = () => false;

const layersOf = (...names: string[]) =>
  names.map((name) => [{ path: name, data: Buffer.alloc(200_000, name) }]);

const imageOf = (...names: string[]): BuiltImage =>
  buildImage({ layers: layersOf(...names), compression: 'none' });

describe('two pulls at once', () => {
  it('downloads a layer once that two concurrent pulls share', async () => {
    const [a, b] = [imageOf('shared', 'a'), imageOf('shared', 'b')];
    const gate = new Gate();
    const first = new MemorySource(a, { names: ['docker.io/library/a:1'], before: gate.opened });
    const second = new MemorySource(b, { names: ['docker.io/library/b:1'], before: gate.opened });
    const both = Promise.all([temporary.store.ingest(first), temporary.store.ingest(second)]);
    gate.open();
    const images = await both;
    const shared = a.layers[0]?.digest;
    const opened = [...first.opened, ...second.opened];
    expect(opened.filter((digest) => digest === shared)).toHaveLength(1);
    expect(opened).toHaveLength(5);
    for (const image of images) expect(await temporary.store.bootLayers(image)).toHaveLength(2);
    expect(readdirSync(join(temporary.root, 'images/staging'))).toEqual([]);
  });

  it.each(['fails', 'is aborted'])(
    'continues one of two pulls that share a layer when the other %s',
    async (how) => {
      const [a, b] = [imageOf('shared', 'a'), imageOf('shared', 'b')];
      const stop = new AbortController();
      const shared = a.layers[0]?.digest;
      const started = new Gate();
      const broken = new Gate();
      const first = new MemorySource(a, {
        names: ['docker.io/library/a:1'],
        signal: stop.signal,
        stream: async function* (digest, bytes) {
          if (digest !== shared) return yield bytes;
          yield bytes.subarray(0, 1000);
          started.open();
          await broken.opened;
          throw new RangeError('cut');
        },
      });
      const failing = temporary.store.ingest(first).catch((error: unknown) => error);
      await started.opened;
      const second = new MemorySource(b, { names: ['docker.io/library/b:1'] });
      const waiting: IngestEvent[] = [];
      const going = temporary.store.ingest(second, (event) => waiting.push(event));
      while (!waiting.some(({ layer, state }) => layer !== shared && state === 'complete')) {
        await setTimeout(5);
      }
      expect(second.opened).not.toContain(shared);
      if (how === 'fails') broken.open();
      else stop.abort(new RangeError('stopped'));
      expect(await failing).toBeInstanceOf(RangeError);
      broken.open();
      const image = await going;
      expect(second.opened).toContain(shared);
      expect(await temporary.store.bootLayers(image)).toHaveLength(2);
      expect(await temporary.store.list()).toHaveLength(1);
      await temporary.store.remove(image.id, { force: true, inUse });
      expect(await temporary.remains()).toEqual([]);
    },
  );

  it('stores one image for concurrent pulls of the same image', async () => {
    const image = imageOf('a', 'b');
    const sources = ['1', '2', '3'].map(
      (tag) => new MemorySource(image, { names: [`docker.io/library/app:${tag}`] }),
    );
    await Promise.all(sources.map((source) => temporary.store.ingest(source)));
    expect(sources.flatMap(({ opened }) => opened)).toHaveLength(3);
    const [listed, ...others] = await temporary.store.list();
    expect(others).toEqual([]);
    expect(listed?.tags).toEqual(['app:1', 'app:2', 'app:3']);
  });
});

describe('a pull', () => {
  it('builds the disk of a layer while others download, three at a time', async () => {
    const image = imageOf('a', 'b', 'c', 'd', 'e');
    const gates = new Map(image.layers.map(({ digest }) => [digest, new Gate()] as const));
    const source = new MemorySource(image, {
      names: ['docker.io/library/app:1'],
      stream: async function* (digest, bytes) {
        await gates.get(digest)?.opened;
        yield bytes;
      },
    });
    const events: IngestEvent[] = [];
    const pulling = temporary.store.ingest(source, (event) => events.push(event));
    const opened = async (count: number) => {
      while (source.opened.length < count) await setTimeout(5);
      await setTimeout(20);
      expect(source.opened).toHaveLength(count);
    };
    // The configuration and three layers are downloading.
    await opened(4);
    const [first] = image.layers;
    gates.get(first?.digest ?? '')?.open();
    await opened(5);
    while (readdirSync(join(temporary.root, 'images/erofs')).length === 0) await setTimeout(5);
    expect(events.filter(({ state }) => state === 'waiting')).toHaveLength(2);
    for (const gate of gates.values()) gate.open();
    expect((await pulling).tags).toEqual(['app:1']);
  });

  it('leaves no file of an aborted pull, even when its source hangs', async () => {
    const stop = new AbortController();
    const source = new MemorySource(imageOf('a', 'b'), {
      names: ['docker.io/library/app:1'],
      signal: stop.signal,
      stream: async function* (digest, bytes) {
        if (digest === imageOf('a', 'b').config.digest) return yield bytes;
        yield bytes.subarray(0, 10);
        await new Promise(() => undefined);
      },
    });
    const pulling = temporary.store.ingest(source, ({ state }) => {
      if (state === 'downloading') stop.abort(new RangeError('enough'));
    });
    await expect(pulling).rejects.toThrow('enough');
    expect(await temporary.remains()).toEqual([]);
  });

  it('fetches a blob from the next source when a mirror sends wrong bytes', async () => {
    const image = imageOf('a', 'b');
    const wrong = new Set(image.layers.map(({ digest }) => digest));
    const source = new MemorySource(image, {
      names: ['docker.io/library/app:1'],
      stream: async function* (digest, bytes) {
        if (!wrong.delete(digest)) return yield bytes;
        yield Buffer.alloc(1000);
        throw new MirrorError('registry-failed', 'its content has another digest');
      },
    });
    expect((await temporary.store.ingest(source)).tags).toEqual(['app:1']);
    expect(source.opened).toHaveLength(5);
  });

  it('fails a pull when every mirror sends wrong bytes, and leaves no file', async () => {
    const source = new MemorySource(imageOf('a'), {
      names: ['docker.io/library/app:1'],
      // biome-ignore lint/correctness/useYield: it fails before its first byte
      stream: async function* () {
        throw new MirrorError('registry-failed', 'wrong again');
      },
    });
    await expect(temporary.store.ingest(source)).rejects.toThrow('wrong again');
    expect(source.opened).toHaveLength(3);
    expect(await temporary.remains()).toEqual([]);
  });

  it('keeps the blobs that a pull needs when another image is removed meanwhile', async () => {
    const image = imageOf('a', 'b');
    const first = new MemorySource(image, { names: ['docker.io/library/app:1'] });
    await temporary.store.ingest(first);
    const next = imageOf('a', 'b', 'c');
    const last = next.layers[2]?.digest;
    const second = new MemorySource(next, {
      names: ['docker.io/library/app:2'],
      stream: async function* (digest, bytes) {
        if (digest === last) {
          await setTimeout(100);
          await temporary.store.remove('app:1', { force: false, inUse });
        }
        yield bytes;
      },
    });
    const stored = await temporary.store.ingest(second);
    expect(second.opened).toEqual([next.config.digest, last]);
    expect(await temporary.store.bootLayers(stored)).toHaveLength(3);
  });

  it('refuses a stored configuration that was changed on disk', async () => {
    const image = imageOf('a');
    await temporary.store.ingest(new MemorySource(image, { names: ['docker.io/library/app:1'] }));
    const path = join(temporary.root, 'images/blobs/sha256', image.config.digest.slice(7));
    const changed = readFileSync(path, 'utf8').replace('linux', 'LINUX');
    rmSync(path);
    writeFileSync(path, changed);
    await expect(
      temporary.store.ingest(new MemorySource(image, { names: ['docker.io/library/app:2'] })),
    ).rejects.toMatchObject({ code: 'invalid-image' });
    await expect(temporary.store.resolve('app:2')).rejects.toMatchObject({
      code: 'no-such-image',
    });
  });

  it('fetches a layer once that an image contains twice', async () => {
    const layer = layersOf('a')[0] ?? [];
    const image = buildImage({ layers: [layer, layer, layer], compression: 'none' });
    const source = new MemorySource(image, { names: ['docker.io/library/app:1'] });
    const stored = await temporary.store.ingest(source);
    expect(source.opened).toHaveLength(2);
    expect(await temporary.store.bootLayers(stored)).toHaveLength(3);
  });

  it('stores an image with more layers than a box has disks', async () => {
    const names = Array.from({ length: 60 }, (_, index) => `layer-${index}`);
    const image = buildImage({ layers: names.map((path) => [{ path, data: path }]) });
    const source = new MemorySource(image, { names: ['docker.io/library/app:1'] });
    const stored = await temporary.store.ingest(source);
    expect(await temporary.store.bootLayers(stored)).toHaveLength(56);
  });

  it('refuses an image whose layers have other diff IDs than its configuration lists', async () => {
    const good = imageOf('a');
    const other = imageOf('b');
    const [layer] = other.layers;
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: good.manifest.mediaType,
        config: good.config,
        layers: [layer],
      }),
    );
    const source = new MemorySource(good, { names: [], manifest });
    source.add(other);
    await expect(temporary.store.ingest(source)).rejects.toMatchObject({ code: 'invalid-image' });
    expect(await temporary.remains()).toEqual([]);
    // The image is also refused when the disk of that diff ID exists already.
    await temporary.store.ingest(new MemorySource(good, { names: ['docker.io/library/app:1'] }));
    await expect(temporary.store.ingest(source)).rejects.toMatchObject({ code: 'invalid-image' });
  });

  it('refuses an image at once when its layers do not fit on the disk', async () => {
    const good = imageOf('a');
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: good.manifest.mediaType,
        config: good.config,
        layers: good.layers.map((layer) => ({ ...layer, size: 2 ** 52 })),
      }),
    );
    const source = new MemorySource(good, { names: [], manifest });
    await expect(temporary.store.ingest(source)).rejects.toMatchObject({ code: 'disk-full' });
    expect(source.opened).toEqual([good.config.digest]);
    expect(await temporary.remains()).toEqual([]);
  });

  it('refuses documents above their size limit', async () => {
    temporary.remove();
    temporary = await temporaryStore({ ...DEFAULT_LIMITS, documentBytes: 100 });
    const source = new MemorySource(imageOf('a'), { names: [] });
    await expect(temporary.store.ingest(source)).rejects.toMatchObject({ code: 'too-large' });
    expect(source.opened).toEqual([]);
  });
});

describe('an index', () => {
  const image = imageOf('a');
  const indexOf = (...manifests: object[]) =>
    documentOf(
      'application/vnd.oci.image.index.v1+json',
      Buffer.from(JSON.stringify({ schemaVersion: 2, manifests })),
    );

  it('refuses an index that does not list the manifest', async () => {
    const other = indexOf(imageOf('b').manifest);
    const source = new MemorySource(image, { names: [], indexes: [other] });
    await expect(temporary.store.ingest(source)).rejects.toThrow(/does not list the manifest/);
  });

  it('refuses an index with another digest than its bytes have', async () => {
    const good = indexOf(image.manifest);
    const changed = { ...good, bytes: Buffer.concat([good.bytes, Buffer.from(' ')]) };
    const source = new MemorySource(image, { names: [], indexes: [changed] });
    await expect(temporary.store.ingest(source)).rejects.toThrow(/has the digest/);
  });

  it('keeps the bytes of an index as long as its image', async () => {
    const index = indexOf(image.manifest);
    const source = new MemorySource(image, {
      names: ['docker.io/library/app:1'],
      indexes: [index],
    });
    const stored = await temporary.store.ingest(source);
    expect(stored.indexDigests).toEqual([index.digest]);
    const path = join(temporary.root, 'images/blobs/sha256', index.digest.slice(7));
    await temporary.store.tag('app:1', 'app:2');
    expect(readFileSync(path).equals(index.bytes)).toBe(true);
    await temporary.store.remove(stored.id, { force: true, inUse });
    expect(existsSync(path)).toBe(false);
  });
});

describe('a source', () => {
  it.each<[string, Partial<ImageSource>, string]>([
    ['a name with a digest', { names: [`a@sha256:${'0'.repeat(64)}`] }, 'invalid-reference'],
    ['a name that looks like an id', { names: ['sha256:abc'] }, 'invalid-reference'],
    [
      'a repository digest that is not its own',
      { repoDigest: { repository: 'docker.io/library/a', digest: `sha256:${'0'.repeat(64)}` } },
      'invalid-image',
    ],
  ])('refuses an image source with %s', async (_, change, code) => {
    const source = Object.assign(new MemorySource(imageOf('a'), { names: [] }), change);
    await expect(temporary.store.ingest(source)).rejects.toMatchObject({ code });
    expect(await temporary.remains()).toEqual([]);
  });
});
