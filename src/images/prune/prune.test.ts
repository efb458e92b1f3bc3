import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildImage, ociArchive } from '../testing/build-image.ts';
import { streamed } from '../testing/streams.ts';
import { type TemporaryStore, temporaryStore } from '../testing/temporary-store.ts';
import type { PruneOptions } from './prune-options.ts';

let temporary: TemporaryStore;
beforeEach(async () => {
  temporary = await temporaryStore();
});
afterEach(() => temporary.remove());

const image = (name: string, text = name, labels = {}) =>
  buildImage({
    name,
    layers: [[{ path: 'shared', data: 'shared' }], [{ path: 'own', data: text.repeat(3000) }]],
    config: { Labels: labels },
    compression: 'none',
  });

const DEFAULTS: PruneOptions = {
  danglingOnly: true,
  until: undefined,
  matches: () => true,
  inUse: () => new Set(),
};
const prune = (options: Partial<PruneOptions> = {}) =>
  temporary.store.prune({ ...DEFAULTS, ...options });
const load = (...images: Parameters<typeof ociArchive>[0]) =>
  temporary.store.load(streamed(ociArchive(images)));

describe('prune', () => {
  it('prunes images without a name, and frees only the bytes of their own blobs', async () => {
    const [old] = await load(image('app:1', 'old'));
    await load(image('app:1', 'new'));
    const { total, images } = await temporary.store.usage();
    const share = images.get(old?.id ?? '') ?? expect.fail();
    expect(await prune()).toEqual({
      removed: [{ id: old?.id, untagged: [], layers: [expect.stringMatching(/^sha256:/)] }],
      reclaimed: share.size - share.shared,
    });
    expect((await temporary.store.usage()).total).toBe(total - share.size + share.shared);
    expect(await temporary.store.list()).toHaveLength(1);
    expect(await prune()).toEqual({ removed: [], reclaimed: 0 });
  });

  it('prunes every image that no box uses, when asked for all', async () => {
    const [held, other] = await load(image('held:1'), image('other:1'));
    await temporary.store.tag('other:1', 'other:2');
    expect(
      await prune({ danglingOnly: false, inUse: () => new Set([held?.id ?? '']) }),
    ).toMatchObject({
      removed: [{ id: other?.id, untagged: ['other:1', 'other:2'] }],
    });
    expect(await temporary.store.bootLayers(held ?? expect.fail())).toHaveLength(2);
  });

  it('keeps images that its filters do not match', async () => {
    await load(image('a:1', 'a', { keep: 'yes' }), image('b:1', 'b'));
    const all = { danglingOnly: false };
    // Both images have a creation time in 1970.
    expect((await prune({ ...all, until: 0 })).removed).toEqual([]);
    const { removed } = await prune({ ...all, until: 1, matches: (labels) => !labels['keep'] });
    expect(removed.map(({ untagged }) => untagged)).toEqual([['b:1']]);
  });

  it('leaves no file of a pruned image', async () => {
    await load(image('a:1'), image('b:1'));
    await prune({ danglingOnly: false });
    expect(await temporary.remains()).toEqual([]);
  });
});

describe('loads, saves and starts beside prunes', () => {
  it('loads and saves images whole while images are pruned', { timeout: 120_000 }, async () => {
    const { store } = temporary;
    const archives = ['a:1', 'b:1', 'c:1'].map((name) => ociArchive([image(name)]));
    let running = true;
    const pruning = (async () => {
      while (running) await prune({ danglingOnly: false });
    })();
    const working = archives.map(async (archive) => {
      for (let round = 0; round < 15; round += 1) {
        const [loaded] = await store.load(streamed(archive));
        if (loaded === undefined) expect.fail();
        try {
          const [layers, bytes] = await Promise.all([
            store.bootLayers(loaded),
            store.save([loaded.id]).then(buffer),
          ]);
          expect(layers).toHaveLength(2);
          // The saved archive is whole, since it loads.
          await store.load(streamed(bytes));
        } catch (error) {
          // The image was pruned before the save began.
          expect(error).toMatchObject({ code: 'no-such-image' });
        }
      }
    });
    await Promise.all(working).finally(() => {
      running = false;
    });
    await pruning;
    await prune({ danglingOnly: false });
    expect(await temporary.remains()).toEqual([]);
  });

  it('never removes a file of an image that a box uses', { timeout: 120_000 }, async () => {
    const { store } = temporary;
    const [held] = await load(image('held:1'));
    const others = ociArchive([image('other:1')]);
    const before = readdirSync(join(temporary.root, 'images/blobs/sha256')).length;
    for (let round = 0; round < 10; round += 1) {
      const [, pruned] = await Promise.all([
        store.load(streamed(others)),
        prune({ danglingOnly: false, inUse: () => new Set([held?.id ?? '']) }),
        store.bootLayers(held ?? expect.fail()),
        store.save(['held:1']).then(buffer),
      ]);
      expect(pruned.removed.map(({ id }) => id)).not.toContain(held?.id);
    }
    await prune({ danglingOnly: false, inUse: () => new Set([held?.id ?? '']) });
    expect(readdirSync(join(temporary.root, 'images/blobs/sha256'))).toHaveLength(before);
  });
});
