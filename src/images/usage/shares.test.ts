import { expect, it } from 'vitest';
import { buildImage, ociArchive } from '../testing/build-image.ts';
import { streamed } from '../testing/streams.ts';
import { temporaryStore } from '../testing/temporary-store.ts';
import { shareOut } from './shares.ts';

const parts = (record: Record<string, number>) => new Map(Object.entries(record));

it('counts blobs once that several images share', () => {
  expect(shareOut([])).toEqual({ each: [], total: 0 });
  expect(shareOut([parts({ a: 1, b: 2 }), parts({ b: 2, c: 4 }), parts({ d: 8 })])).toEqual({
    each: [
      { size: 3, shared: 2 },
      { size: 6, shared: 2 },
      { size: 8, shared: 0 },
    ],
    total: 15,
  });
});

it('reports the disk usage of images, and the bytes that their blobs share', async () => {
  const temporary = await temporaryStore();
  try {
    const { store } = temporary;
    const base = [{ path: 'base', data: Buffer.alloc(100_000, 'x') }];
    const built = ['a:1', 'b:1'].map((name) =>
      buildImage({ name, layers: [base, [{ path: name, data: name }]], compression: 'none' }),
    );
    const images = await store.load(streamed(ociArchive(built)));
    const { images: shares, total } = await store.shares();
    const shared = built[0]?.layers[0]?.size ?? 0;
    for (const { id, size } of images) expect(shares.get(id)).toEqual({ size, shared });
    expect(total).toBe(images.reduce((sum, { size }) => sum + size, 0) - shared);
    const usage = await store.usage();
    // The store has each layer twice: as a blob and as a disk.
    expect(usage.total).toBeGreaterThan(2 * shared);
    expect(usage.total).toBeLessThan(4 * shared);
    const own = [...usage.images.values()].reduce((sum, each) => sum + each.size - each.shared, 0);
    expect(usage.total - own).toBe([...usage.images.values()][0]?.shared);
  } finally {
    temporary.remove();
  }
});
