import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { lstatSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { spawnInJail } from '../../jail/spawn.ts';
import type { Digest } from '../../oci/digest.ts';
import { openNameless } from '../content/files.ts';
import { DiskBudget } from '../disk-budget.ts';
import { DEFAULT_LIMITS, type Limits } from '../limits.ts';
import { streamed } from '../testing/streams.ts';
import { writeTar } from '../testing/tar-writer.ts';
import { convertLayers, type LayerSource } from './convert.ts';

let root: string;
let image: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-erofs-'));
  image = join(root, 'image');
});

afterEach(() => rmSync(root, { recursive: true, force: true }));

function layerOf(tar: Buffer, blob = tar): LayerSource {
  const diffId: Digest = `sha256:${createHash('sha256').update(tar).digest('hex')}`;
  return { diffId, size: blob.length, open: () => streamed(blob, 100_000) };
}

async function convert(
  layers: readonly LayerSource[],
  limits: Partial<Limits> = {},
  space = 1 << 30,
  scratch?: FileHandle,
): Promise<void> {
  const file: FileHandle = await open(image, 'w+');
  try {
    await convertLayers({ layers, below: [] }, file, new DiskBudget(root, space), {
      limits: { ...DEFAULT_LIMITS, ...limits },
      spawn: spawnInJail,
      ...(scratch === undefined ? {} : { scratch }),
    });
  } finally {
    await file.close();
  }
}

/** The files that the reference tools extract from the image, after they verified it. */
function extract(): string {
  const out = join(root, 'out');
  rmSync(out, { recursive: true, force: true });
  execFileSync('fsck.erofs', [`--extract=${out}`, '--preserve', image], { stdio: 'pipe' });
  return out;
}

describe('convertLayers', () => {
  it('writes a layer disk that the reference tools read back', async () => {
    const big = randomBytes(3_000_001);
    await convert([
      layerOf(
        writeTar([
          { path: './', type: 'directory', mode: 0o711, mtime: 5 },
          { path: 'big', data: big, mode: 0o4755, uid: 4_294_967_294, mtime: 1_700_000_000 },
          { path: 'empty', data: '' },
          { path: 'block', data: Buffer.alloc(4096, 7) },
          { path: 'zeros', data: Buffer.alloc(1_000_000) },
          { path: 'second', type: 'hardlink', target: 'big' },
          { path: 'long', type: 'symlink', target: 'x'.repeat(4000) },
          { path: 'short', type: 'symlink', target: '../big' },
          { path: 'null', type: 'character', device: { major: 1, minor: 3 } },
          { path: 'disk', type: 'block', device: { major: 259, minor: 70_000 } },
          { path: 'pipe', type: 'fifo' },
          { path: 'deep/er/file', data: 'deep' },
        ]),
      ),
    ]);
    const out = extract();
    const stat = (name: string) => lstatSync(join(out, name));
    expect(readFileSync(join(out, 'big')).equals(big)).toBe(true);
    expect(readFileSync(join(out, 'zeros')).equals(Buffer.alloc(1_000_000))).toBe(true);
    expect(readFileSync(join(out, 'block')).equals(Buffer.alloc(4096, 7))).toBe(true);
    expect(readFileSync(join(out, 'deep/er/file'), 'utf8')).toBe('deep');
    expect(stat('big')).toMatchObject({ nlink: 2, mtimeMs: 1_700_000_000_000 });
    expect(stat('big').ino).toBe(stat('second').ino);
    expect(readlinkSync(join(out, 'long'))).toBe('x'.repeat(4000));
    expect(readlinkSync(join(out, 'short'))).toBe('../big');
    expect(stat('pipe').isFIFO()).toBe(true);
    if (process.getuid?.() === 0) {
      expect(stat('big')).toMatchObject({ mode: 0o104755, uid: 4_294_967_294 });
      expect(stat('null').rdev).toBe((1 << 8) | 3);
      expect(stat('disk').isBlockDevice()).toBe(true);
    }
  });

  it('writes overlayfs whiteouts and opaque directories', async () => {
    await convert([
      layerOf(writeTar([{ path: 'd/.wh.gone' }, { path: 'o/.wh..wh..opq' }, { path: '.wh.top' }])),
    ]);
    for (const path of ['/d/gone', '/top']) {
      const text = dump(path);
      expect(text).toContain('char dev');
    }
    expect(dump('/o')).toContain('Xattr size: 32');
    expect(readFileSync(image).includes('overlay.opaque')).toBe(true);
  });

  it('drops attributes that overlayfs interprets, and keeps capabilities', async () => {
    const capability = randomBytes(20);
    await convert([
      layerOf(
        writeTar([
          {
            path: 'f',
            xattrs: { 'trusted.overlay.redirect': '/etc', 'security.capability': capability },
          },
        ]),
      ),
    ]);
    const bytes = readFileSync(image);
    expect(bytes.includes('redirect')).toBe(false);
    expect(bytes.includes(capability)).toBe(true);
    extract();
  });

  it('writes the same disk for the same layer, plain and compressed', async () => {
    const tar = writeTar([{ path: 'a', data: randomBytes(10_000) }, { path: 'b/c' }]);
    const zstd = execFileSync('zstd', ['-c', '-19', '-'], { input: tar });
    const members = [gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))];
    const images: string[] = [];
    for (const blob of [tar, gzipSync(tar), Buffer.concat(members), zstd]) {
      await convert([layerOf(tar, blob)]);
      images.push(createHash('sha256').update(readFileSync(image)).digest('hex'));
    }
    expect(new Set(images).size).toBe(1);
  });

  it('writes zeros as holes in a layer disk', async () => {
    await convert([layerOf(writeTar([{ path: 'zeros', data: Buffer.alloc(50_000_000) }]))]);
    const { size, blocks } = lstatSync(image);
    expect(size).toBeGreaterThan(50_000_000);
    expect(blocks * 512).toBeLessThan(1_000_000);
    extract();
  });

  const tar = writeTar([{ path: 'f', data: randomBytes(100_000) }]);

  it.each<[string, LayerSource]>([
    ['a layer with another diff ID', { ...layerOf(tar), diffId: `sha256:${'0'.repeat(64)}` }],
    ['a truncated gzip layer', layerOf(tar, gzipSync(tar).subarray(0, 50_000))],
    ['a damaged gzip layer', layerOf(tar, gzipSync(tar).fill(0x55, 40_000, 40_400))],
    ['a damaged zstd layer', layerOf(tar, Buffer.from('28b52ffd00ffffffffffff', 'hex'))],
    ['a truncated tar', layerOf(tar.subarray(0, 50_000))],
    ['an xz layer', layerOf(tar, Buffer.from('fd377a585a000004', 'hex'))],
    ['a layer that is no tar', layerOf(randomBytes(5000))],
  ])('refuses to convert %s', async (_, layer) => {
    await expect(convert([layer])).rejects.toMatchObject({ code: 'invalid-image' });
  });

  it('refuses decompression bombs in gzip and in zstd', async () => {
    const bomb = writeTar([{ path: 'zeros', data: Buffer.alloc(30_000_000) }]);
    const zstd = execFileSync('zstd', ['-c', '-'], { input: bomb });
    for (const blob of [gzipSync(bomb), zstd]) {
      await expect(
        convert([layerOf(bomb, blob)], { freeExpansion: 1_000_000 }),
      ).rejects.toMatchObject({
        code: 'invalid-image',
        message: expect.stringContaining('decompression bomb'),
      });
      await expect(convert([layerOf(bomb, blob)], { layerBytes: 1_000_000 })).rejects.toMatchObject(
        { code: 'too-large' },
      );
    }
  });

  it('writes the same disk from cached data, and then reads each layer once', async () => {
    const tars = [
      writeTar([
        { path: 'twice', data: randomBytes(70_000) },
        { path: 'twice', data: randomBytes(80_000) },
        { path: 'linked', type: 'hardlink', target: 'twice' },
        { path: 'empty', data: '' },
        { path: 'zeros', data: Buffer.alloc(300_000) },
        { path: 'gone', data: randomBytes(9_000) },
      ]),
      writeTar([
        { path: '.wh.gone', data: '' },
        { path: 'upper', data: randomBytes(2_000_000) },
      ]),
    ];
    let opened = 0;
    const layers = tars.map((tar) => {
      const layer = layerOf(tar, gzipSync(tar));
      const open = () => {
        opened += 1;
        return layer.open();
      };
      return { ...layer, open };
    });
    for (const { group, scarce } of [
      { group: layers, scarce: 6_000_000 },
      { group: layers.slice(0, 1), scarce: 1_000_000 },
    ]) {
      await convert(group);
      const expected = readFileSync(image);
      for (const { space, times } of [
        { space: 1 << 30, times: 1 },
        { space: scarce, times: 2 },
      ]) {
        opened = 0;
        const scratch = await openNameless(root);
        await convert(group, {}, space, scratch).finally(() => scratch.close());
        expect(readFileSync(image).equals(expected)).toBe(true);
        expect(opened).toBe(times * group.length);
      }
    }
  });

  it('stops a conversion before the disk is full', async () => {
    await expect(convert([layerOf(tar)], {}, 50_000)).rejects.toMatchObject({ code: 'disk-full' });
  });

  it(
    'writes any tree of files so that the reference tools verify it',
    async () => {
      const name = fc.string({
        minLength: 1,
        maxLength: 200,
        unit: fc.constantFrom('a', 'b', '~'),
      });
      const file = fc
        .record({
          path: fc.array(name, { minLength: 1, maxLength: 3 }).map((parts) => parts.join('/')),
          type: fc.constantFrom('file', 'file', 'directory', 'symlink', 'fifo'),
          target: name,
          size: fc.oneof(fc.nat(100), fc.nat(9000), fc.constantFrom(2048, 2049, 4096, 8192)),
          xattrs: fc.dictionary(
            fc.constantFrom('user.a', 'user.bb', 'user.ccc'),
            fc.uint8Array({ maxLength: 5000 }),
            { maxKeys: 2 },
          ),
        })
        .map(({ size, ...rest }) => ({
          ...rest,
          data: Buffer.alloc(rest.type === 'file' ? size : 0, rest.path),
        }));
      await fuzz(
        fc.asyncProperty(fc.array(file, { maxLength: 150 }), async (files) => {
          // Keeps each path once, and no path below a file.
          const kept = files.filter(
            ({ path }, index) =>
              !files.some(
                (other, at) =>
                  at !== index &&
                  (other.path === path ||
                    (other.type !== 'directory' && path.startsWith(`${other.path}/`))),
              ),
          );
          await convert([layerOf(writeTar(kept))]);
          const out = extract();
          for (const { path, type, data } of kept) {
            if (type === 'file') expect(readFileSync(join(out, path)).equals(data)).toBe(true);
          }
          const found = readdirSync(out, { recursive: true }).length;
          expect(found).toBeGreaterThanOrEqual(kept.length);
        }),
      );
    },
    FUZZ_TIMEOUT,
  );
});

function dump(path: string): string {
  return execFileSync('dump.erofs', [`--path=${path}`, image], { stdio: 'pipe' }).toString();
}
