import { execFileSync } from 'node:child_process';
import {
  appendFileSync,
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bytesOf } from '../content/staging.ts';
import { buildImage, ociArchive } from '../testing/build-image.ts';
import { type TemporaryStore, temporaryStore } from '../testing/temporary-store.ts';
import { diskTree, recordPath } from './disk-tree.ts';
import { saltOf, treeBytes } from './hash-tree.ts';

let temporary: TemporaryStore;
beforeEach(async () => {
  temporary = await temporaryStore();
});
afterEach(() => temporary.remove());

async function load(size = 3_000_000) {
  const layers = [
    [{ path: 'low', data: 'x' }],
    [{ path: 'high', data: Buffer.alloc(size, 'abcdefg') }],
  ];
  const archive = ociArchive([buildImage({ name: 'app:1', layers, compression: 'none' })]);
  const [image] = await temporary.store.load(bytesOf(archive));
  return image ?? expect.fail();
}

/** Changes a byte of a read-only file. */
function spoil(path: string, at: number): void {
  const bytes = readFileSync(path);
  bytes[at] = (bytes[at] ?? 0) ^ 1;
  chmodSync(path, 0o600);
  writeFileSync(path, bytes);
  chmodSync(path, 0o400);
}

describe('the layers of a confidential box', () => {
  it('appends a hash tree to each layer disk that veritysetup verifies', async () => {
    const image = await load();
    const plain = await temporary.store.bootLayers(image);
    const before = plain.map(({ path }) => readFileSync(path));
    const layers = await temporary.store.verityLayers(image);
    expect(layers.map(({ diffId, path }) => ({ diffId, path }))).toEqual(plain);
    for (const [index, { path, bytes, root, diffId }] of layers.entries()) {
      expect(bytes).toBe(before[index]?.length);
      expect(statSync(path)).toMatchObject({ size: bytes + treeBytes(bytes), mode: 0o100400 });
      expect(
        readFileSync(path)
          .subarray(0, bytes)
          .equals(before[index] ?? expect.fail()),
      ).toBe(true);
      execFileSync('veritysetup', [
        ...['verify', '--no-superblock', '--format=1', '--hash=sha256'],
        ...[`--salt=${saltOf(diffId).toString('hex')}`, '--data-block-size=4096'],
        ...['--hash-block-size=4096', `--data-blocks=${bytes / 4096}`, `--hash-offset=${bytes}`],
        ...[path, path, root],
      ]);
    }
  });

  it('returns the same hash trees to concurrent callers, and builds them once', async () => {
    const image = await load();
    const all = await Promise.all([1, 2, 3].map(() => temporary.store.verityLayers(image)));
    const [layer] = all[0] ?? [];
    const made = statSync(layer?.path ?? '').mtimeMs;
    for (const layers of all) expect(layers).toEqual(all[0]);
    expect(await temporary.store.verityLayers(image)).toEqual(all[0]);
    expect(statSync(layer?.path ?? '').mtimeMs).toBe(made);
  });

  it('refuses a layer once its disk, its hash tree or its length changed', async () => {
    const image = await load();
    const [, layer] = await temporary.store.verityLayers(image);
    const { path, bytes } = layer ?? expect.fail();
    const kept = join(temporary.root, 'kept');
    copyFileSync(path, kept);
    const changes = [
      () => spoil(path, bytes - 1),
      () => spoil(path, bytes + 5),
      () => {
        chmodSync(path, 0o600);
        truncateSync(path, bytes);
      },
    ];
    for (const change of changes) {
      const note = readFileSync(recordPath(path));
      change();
      await expect(temporary.store.verityLayers(image)).rejects.toMatchObject({
        code: 'invalid-image',
      });
      rmSync(path);
      copyFileSync(kept, path);
      rmSync(recordPath(path));
      writeFileSync(recordPath(path), note);
      expect((await temporary.store.verityLayers(image))[1]).toEqual(layer);
    }
  });

  it('removes the hash trees with their image', async () => {
    const image = await load();
    await temporary.store.verityLayers(image);
    await temporary.store.remove('app:1', { force: false, inUse: () => false });
    expect(await temporary.remains()).toEqual([]);
  });
});

describe('an unfinished hash tree', () => {
  let path: string;
  let staging: string;
  const diffId = `sha256:${'1'.repeat(64)}`;
  beforeEach(async () => {
    const [, layer] = await temporary.store.bootLayers(await load());
    path = join(temporary.root, 'disk');
    staging = mkdtempSync(join(tmpdir(), 'a3s-tree-'));
    copyFileSync(layer?.path ?? '', path);
  });
  afterEach(() => rmSync(staging, { recursive: true, force: true }));

  it('rebuilds an unfinished hash tree, whatever is behind the disk image', async () => {
    const first = await diskTree({ path, diffId, staging });
    const whole = readFileSync(path);
    const spoilt = [
      () => truncateSync(path, first.bytes),
      () => truncateSync(path, first.bytes + 4096 + 7),
      () => writeFileSync(path, Buffer.concat([whole.subarray(0, first.bytes), Buffer.alloc(9)])),
      () => appendFileSync(path, Buffer.alloc(100_000, 1)),
    ];
    for (const crash of spoilt) {
      rmSync(recordPath(path));
      chmodSync(path, 0o600);
      crash();
      expect(await diskTree({ path, diffId, staging })).toEqual(first);
      expect(readFileSync(path).equals(whole)).toBe(true);
    }
  });

  it('refuses a disk tree whose record names another root', async () => {
    await diskTree({ path, diffId, staging });
    spoil(recordPath(path), 40);
    await expect(diskTree({ path, diffId, staging })).rejects.toMatchObject({
      code: 'invalid-image',
    });
  });

  const ignoresRecord = async (record: string): Promise<void> => {
    writeFileSync(recordPath(path), record);
    const { root } = await diskTree({ path, diffId, staging });
    expect(root).toMatch(/^[0-9a-f]{64}$/);
  };

  it.each(['', '{', '[]', '{"bytes":4096}', '{"bytes":1,"root":"x"}'])(
    'ignores the malformed hash tree record %j',
    ignoresRecord,
  );

  it('ignores a hash tree record of 100000 characters', async () => {
    await ignoresRecord('x'.repeat(100_000));
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['no superblock', Buffer.alloc(8192)],
  ])('refuses to append a hash tree to a disk image with %s', async (_, bytes) => {
    chmodSync(path, 0o600);
    writeFileSync(path, bytes);
    await expect(diskTree({ path, diffId, staging })).rejects.toMatchObject({
      code: 'invalid-image',
    });
    expect(readFileSync(path)).toEqual(bytes);
  });

  it('refuses to append a hash tree to a truncated disk image', async () => {
    chmodSync(path, 0o600);
    truncateSync(path, 8192);
    await expect(diskTree({ path, diffId, staging })).rejects.toMatchObject({
      code: 'invalid-image',
    });
  });
});
