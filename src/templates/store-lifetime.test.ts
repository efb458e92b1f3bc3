import { fstatSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { DAY, HOUR, isOpen, onlyKey, StoreHome, untilIdle, warm } from './testing/store-home.ts';

let home: StoreHome;

beforeEach(() => {
  home = new StoreHome();
});
afterEach(() => home.remove());

describe('an old template', () => {
  it('expires a template of the maximum age instead of using it', async () => {
    const store = await home.openStore();
    await warm(store);
    home.time.wall += DAY;
    expect(await store.take(home.shape())).toBeUndefined();
    expect(home.actions()).toEqual(['create', 'expire']);
    expect(home.left()).toEqual([]);
  });

  it('expires a template also when the clock was set back', async () => {
    const store = await home.openStore();
    await warm(store);
    home.time.steady += DAY;
    expect(await store.take(home.shape())).toBeUndefined();
    await warm(store);
    home.time.wall -= HOUR;
    expect(await store.take(home.shape())).toBeUndefined();
    expect(home.actions()).toEqual(['create', 'expire', 'create', 'expire']);
  });

  it('replaces a template in use before it expires, and its users keep the old one', async () => {
    const store = await home.openStore();
    await warm(store);
    home.time.wall += 20 * HOUR;
    const old = await store.take(home.shape());
    expect(old).toBeDefined();
    await home.event('create', 2);
    using fresh = await store.take(home.shape());
    expect(fresh?.template.ram).not.toBe(old?.template.ram);
    const ram = old?.template.ram ?? -1;
    expect(isOpen(ram)).toBe(true);
    old?.release();
    await expect.poll(() => isOpen(ram)).toBe(false);
    expect(home.left()).toEqual([onlyKey(store)]);
  });
});

describe('the home.limits of the store', () => {
  it('evicts the least recently used templates first, and none that is in use', async () => {
    home.limits = { ...home.limits, max: 2 };
    const store = await home.openStore();
    await warm(store, [1]);
    home.time.wall += 1000;
    await warm(store, [2]);
    home.time.wall += 1000;
    (await store.take(home.shape(1)))?.release();
    await warm(store, [3]);
    expect(
      store
        .list()
        .map(({ cpus }) => cpus)
        .sort(),
    ).toEqual([1, 3]);
    home.time.wall += 1000;
    using held = await store.take(home.shape(1));
    expect(held).toBeDefined();
    home.used.add(store.list().find(({ cpus }) => cpus === 3)?.key ?? '');
    await expect(warm(store, [4])).rejects.toMatchObject({ code: 'disk-full' });
    expect(
      store
        .list()
        .map(({ cpus }) => cpus)
        .sort(),
    ).toEqual([1, 3]);
    expect(home.actions().filter((action) => action === 'evict')).toHaveLength(2);
  });

  it('unloads the RAM of a template to make room for another, unless it is in use', async () => {
    const store = await home.openStore();
    await warm(store, [1, 2]);
    const first = await store.take(home.shape(1));
    const bytes = fstatSync(first?.template.ram ?? -1).blocks * 512;
    const small = await home.openStore({ limits: { ...home.limits, memoryBytes: bytes + 60_000 } });
    const held = await small.take(home.shape(1));
    expect(held).toBeDefined();
    expect(await small.take(home.shape(2))).toBeUndefined();
    expect(home.events.at(-1)).toMatchObject({ action: 'miss', attributes: { cpus: '2' } });
    held?.release();
    using other = await small.take(home.shape(2));
    expect(other).toBeDefined();
    expect(
      small
        .list()
        .map(({ cpus, state }) => `${cpus} ${state}`)
        .sort(),
    ).toEqual(['1 on disk', '2 in use']);
    first?.release();
  });
});

describe('removal by hand', () => {
  it('removes a template by hand unless a box uses it', async () => {
    const store = await home.openStore();
    await warm(store, [1, 2]);
    const [second, first] = store.list();
    const taken = await store.take(home.shape(1));
    await expect(store.remove(first?.key ?? '')).rejects.toMatchObject({ code: 'conflict' });
    home.used.add(second?.key ?? '');
    await expect(store.remove(second?.key ?? '')).rejects.toMatchObject({ code: 'conflict' });
    expect(await store.prune()).toEqual({ removed: [], freedBytes: 0 });
    taken?.release();
    expect(await store.remove(first?.key.slice(0, 12) ?? '')).toBe(first?.key);
    home.used.clear();
    expect(await store.prune()).toEqual({
      removed: [second?.key],
      freedBytes: second?.sizeBytes,
    });
    expect(home.left()).toEqual([]);
    await expect(store.remove('0'.repeat(64))).rejects.toMatchObject({ code: 'no-such-template' });
    await expect(store.remove('../..')).rejects.toMatchObject({ code: 'no-such-template' });
  });
});

describe('after an upgrade', () => {
  it('replaces templates that are stale after an upgrade, shape by shape', async () => {
    await warm(await home.openStore(), [1, 2]);
    home.kernel = 'kernel-2';
    const store = await home.openStore();
    store.refresh();
    await home.event('create', 4);
    await untilIdle(store);
    expect(home.actions().filter((action) => action === 'stale')).toHaveLength(2);
    expect(
      store
        .list()
        .map(({ cpus }) => cpus)
        .sort(),
    ).toEqual([1, 2]);
    using taken = await store.take(home.shape(2));
    expect(taken).toBeDefined();
  });

  it('keeps the shapes of pods beside those of boxes', async () => {
    const before = await home.openStore();
    await warm(before);
    const pods = { ...home.shape(), sparePorts: 13 };
    before.booted(pods);
    await home.event('create', 2);
    const keys = (of: typeof before): string[] =>
      of
        .list()
        .map(({ key }) => key)
        .sort();
    const kept = keys(before);
    const same = await home.openStore();
    same.refresh();
    await untilIdle(same);
    expect(keys(same)).toEqual(kept);
    home.kernel = 'kernel-2';
    const store = await home.openStore();
    store.refresh();
    await home.event('create', 4);
    await untilIdle(store);
    expect(store.list()).toHaveLength(2);
    for (const shape of [home.shape(), { ...home.shape(), sparePorts: 13 }]) {
      using taken = await store.take(shape);
      expect(taken?.template.shape).toEqual(shape);
    }
    expect(home.actions().filter((action) => action === 'stale')).toHaveLength(2);
  });

  it('keeps a stale template while a box pins its boot set or runs on it', async () => {
    const before = await home.openStore();
    await warm(before);
    const old = onlyKey(before);
    home.kernel = 'kernel-2';
    home.pinned = ['kernel-1'];
    const store = await home.openStore();
    store.refresh();
    await home.event('create', 2);
    await untilIdle(store);
    expect(store.list().map(({ key }) => key)).toContain(old);
    home.pinned = [];
    home.used.add(old);
    const next = await home.openStore();
    next.refresh();
    await untilIdle(next);
    expect(next.list().map(({ key }) => key)).toContain(old);
    home.used.clear();
    (await next.take(home.shape()))?.release();
    expect(next.list().map(({ key }) => key)).not.toContain(old);
    expect(home.actions()).toEqual(['create', 'create', 'stale']);
  });
});
