import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { hostPlatform } from '../../oci/platform.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import { sha256 } from '../testing/build-image.ts';
import { streamed } from '../testing/streams.ts';
import { writeTar } from '../testing/tar-writer.ts';
import { type TemporaryStore, temporaryStore } from '../testing/temporary-store.ts';
import type { ImportOptions } from './import-options.ts';

let temporary: TemporaryStore;
beforeEach(async () => {
  temporary = await temporaryStore();
});
afterEach(() => temporary.remove());

const TREE = writeTar([
  { path: 'bin', type: 'directory' },
  { path: 'bin/sh', mode: 0o755, data: 'a shell' },
]);

const DEFAULTS: ImportOptions = {
  name: 'team/root:1',
  changes: ['CMD ["sh"]', 'ENV A=b'],
  message: 'from a test',
  platform: undefined,
  created: '2026-01-01T00:00:00Z',
};
const importTree = (tree: Buffer, options: Partial<ImportOptions> = {}) =>
  temporary.store.import(streamed(tree), { ...DEFAULTS, ...options });

describe('import', () => {
  it.each([
    ['plain', (tar: Buffer) => tar],
    ['with gzip', (tar: Buffer) => gzipSync(tar)],
    ['with zstd', (tar: Buffer) => execFileSync('zstd', ['-c', '-'], { input: tar })],
  ])('imports a root filesystem as an image: %s', async (_, pack) => {
    const image = await importTree(pack(TREE));
    expect(image).toMatchObject({
      tags: ['team/root:1'],
      diffIds: [sha256(TREE)],
      ...hostPlatform(),
      created: '2026-01-01T00:00:00Z',
      config: { cmd: ['sh'], env: ['A=b'], entrypoint: [] },
      origins: [{ kind: 'import', reference: 'team/root:1' }],
    });
    const [disk, ...others] = await temporary.store.bootLayers(image);
    expect(others).toEqual([]);
    const shell = execFileSync('dump.erofs', ['--cat', '--path=/bin/sh', disk?.path ?? '']);
    expect(shell.toString()).toBe('a shell');
    expect(await temporary.store.history(image.id)).toMatchObject([
      { id: image.id, comment: 'from a test', createdBy: '' },
    ]);
  });

  it('imports the same bytes as the same image, with or without a name', async () => {
    const first = await importTree(TREE);
    const second = await importTree(TREE, { name: undefined });
    expect(second.manifestDigest).toBe(first.manifestDigest);
    await temporary.store.remove('team/root:1', { force: true, inUse: () => false });
    expect((await importTree(TREE, { name: undefined })).tags).toEqual([]);
  });

  it.each([
    ['nothing', Buffer.alloc(0), /it is empty/],
    ['no tar', randomBytes(2000), /a header/],
    ['half a tar', TREE.subarray(0, 1600), /ends too early/],
    ['half a gzip', gzipSync(TREE).subarray(0, 60), /gzip data ends too early/],
    ['xz', Buffer.from('fd377a585a0000', 'hex'), /compressed with xz/],
    ['a name that leads out', writeTar([{ path: '../x', data: 'x' }]), /leads upwards/],
    [
      'a file through a link',
      writeTar([
        { path: 'a', type: 'symlink', target: '/etc' },
        { path: 'a/passwd', data: 'x' },
      ]),
      /through a symbolic link/,
    ],
  ])('refuses to import %s, and leaves no file', async (_, tree, message) => {
    await expect(importTree(tree)).rejects.toMatchObject({
      code: 'invalid-image',
      message: expect.stringMatching(message),
    });
    expect(await temporary.remains()).toEqual([]);
  });

  it('refuses invalid options of an import before it reads', async () => {
    const untouched = { [Symbol.asyncIterator]: () => expect.fail('it was read') };
    for (const [options, code] of [
      [{ name: 'UPPER' }, 'invalid-reference'],
      [{ name: `x@sha256:${'1'.repeat(64)}` }, 'invalid-reference'],
      [{ changes: ['RUN x'] }, 'invalid-argument'],
      [{ message: 'x'.repeat(5000) }, 'invalid-argument'],
      [{ platform: { os: 'linux', architecture: 's390x' } }, 'invalid-image'],
    ] as const) {
      await expect(
        temporary.store.import(untouched, { ...DEFAULTS, ...options }),
      ).rejects.toMatchObject({ code });
    }
  });

  it('refuses to import a root filesystem above the limits', async () => {
    const small = await temporaryStore({ ...DEFAULT_LIMITS, layerBytes: 1000, layerEntries: 1 });
    try {
      const work = small.store.import(streamed(gzipSync(TREE)), DEFAULTS);
      await expect(work).rejects.toMatchObject({ code: 'too-large' });
      expect(await small.remains()).toEqual([]);
    } finally {
      small.remove();
    }
  });
});
