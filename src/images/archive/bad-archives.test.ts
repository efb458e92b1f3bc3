import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import type { ImageStore } from '../image.ts';
import { DEFAULT_LIMITS } from '../limits.ts';
import {
  buildImage,
  dockerArchive,
  ociArchive,
  sha256,
  writeOciLayout,
} from '../testing/build-image.ts';
import { streamed } from '../testing/streams.ts';
import { type TarFile, writeTar } from '../testing/tar-writer.ts';
import { type TemporaryStore, temporaryStore } from '../testing/temporary-store.ts';
import { blobPath, changed, ESCAPE, good, withManifest } from '../testing/variants.ts';

const LIMITS = {
  ...DEFAULT_LIMITS,
  documentBytes: 10_000,
  archiveEntries: 50,
  archiveBytes: 5_000_000,
  freeExpansion: 1_000_000,
};

let root: string;
let store: ImageStore;
let temporary: TemporaryStore;
beforeEach(async () => {
  temporary = await temporaryStore(LIMITS);
  ({ root, store } = temporary);
});
afterEach(() => temporary.remove());

async function expectNothingLeft(): Promise<void> {
  expect(await temporary.remains()).toEqual([]);
}

async function expectRefused(load: Promise<unknown>, code: string, message: string): Promise<void> {
  await expect(load).rejects.toMatchObject({ code, message: expect.stringContaining(message) });
  await expectNothingLeft();
}

function withIndex(descriptor: object): Buffer {
  return changed((files) => {
    const index = { schemaVersion: 2, manifests: [{ ...good.manifest, ...descriptor }] };
    files.set('index.json', Buffer.from(JSON.stringify(index)));
  });
}

function docker(entry: object, extra: readonly TarFile[] = []): Buffer {
  const [config] = good.blobs.has(good.config.digest) ? [good.config.digest] : [];
  return writeTar([
    ...extra,
    { path: 'config.json', data: good.blobs.get(config ?? '') ?? '' },
    { path: 'layer.tar', data: good.blobs.get(good.layers[0]?.digest ?? '') ?? '' },
    {
      path: 'manifest.json',
      data: JSON.stringify([
        { Config: 'config.json', RepoTags: ['good:1'], Layers: ['layer.tar'], ...entry },
      ]),
    },
  ]);
}

describe('refused archives', () => {
  it.each<[string, () => Buffer, string]>([
    ['an index with a digest that is a path', () => withIndex({ digest: ESCAPE }), 'digest'],
    [
      'a manifest with a digest that is a path',
      () =>
        ociArchive([
          withManifest((m) => Object.assign(m, { config: { ...good.config, digest: ESCAPE } })),
        ]),
      'config.digest',
    ],
    [
      'a layer with a digest that is a path',
      () =>
        ociArchive([
          withManifest((m) =>
            Object.assign(m, { layers: [{ ...good.layers[0], digest: ESCAPE }] }),
          ),
        ]),
      'layers.0.digest',
    ],
    ['a configuration named by a path', () => docker({ Config: '../../etc/passwd' }), 'missing'],
    ['a layer named by a path', () => docker({ Layers: ['/etc/passwd'] }), 'missing'],
    ['an archive with upward names', () => writeTar([{ path: '../../etc/passwd' }]), 'upwards'],
    [
      'a link out of the archive',
      () => docker({}, [{ path: 'l/layer.tar', type: 'symlink', target: '../../etc/passwd' }]),
      'leads out',
    ],
    [
      'a link to the host',
      () => docker({}, [{ path: 'layer', type: 'symlink', target: '/etc/passwd' }]),
      'leads out',
    ],
    [
      'links in a circle',
      () =>
        docker({ Layers: ['a'] }, [
          { path: 'a', type: 'symlink', target: 'b' },
          { path: 'b', type: 'symlink', target: 'a' },
        ]),
      'without end',
    ],
    ['a device in the archive', () => docker({}, [{ path: 'd', type: 'block' }]), 'not a file'],
    ['two files of one name', () => docker({}, [{ path: 'layer.tar', data: 'x' }]), 'two files'],
    [
      'a member that other readers confuse with "Layers"',
      () => docker({ layers: [] }),
      'some readers take for "Layers"',
    ],
    ['a missing layer', () => docker({ Layers: ['other.tar'] }), 'missing'],
    ['fewer layers than diff IDs', () => docker({ Layers: [] }), 'lists 1 layers'],
    [
      'a missing blob',
      () => changed((files) => files.delete(blobPath(good.layers[0]?.digest ?? ''))),
      'missing',
    ],
    [
      'a truncated blob',
      () =>
        changed((files) => {
          const path = blobPath(good.layers[0]?.digest ?? '');
          files.set(path, files.get(path)?.subarray(0, 50) ?? Buffer.alloc(0));
        }),
      'has 50 bytes',
    ],
    [
      'a blob of the right size and another content',
      () =>
        changed((files) => {
          const path = blobPath(good.config.digest);
          files.set(path, Buffer.alloc(files.get(path)?.length ?? 0, ' '));
        }),
      'content has the digest',
    ],
    ['an archive that ends early', () => ociArchive([good]).subarray(0, 1100), 'too early'],
    [
      'a gzip archive that ends early',
      () => gzipSync(ociArchive([good])).subarray(0, 300),
      'early',
    ],
    ['an archive of nothing', () => writeTar([]), 'neither an OCI layout nor'],
    ['no archive at all', () => Buffer.from('hello'), 'too early'],
    ['an empty stream', () => Buffer.alloc(0), 'neither an OCI layout nor'],
    ['random bytes', () => randomBytes(5000).fill(1, 0, 4), 'Cannot read the archive'],
    [
      'a manifest that is no JSON',
      () => changed((f) => f.set('index.json', Buffer.from('{'))),
      'JSON',
    ],
    [
      'JSON that is nested too deeply',
      () => changed((f) => f.set('index.json', Buffer.from('['.repeat(4000) + ']'.repeat(4000)))),
      'nested too deeply',
    ],
    [
      'a layout of another version',
      () => changed((f) => f.set('oci-layout', Buffer.from('{"imageLayoutVersion":"2.0.0"}'))),
      'imageLayoutVersion',
    ],
    [
      'more layers than an image can have',
      () =>
        ociArchive([
          withManifest((m) =>
            Object.assign(m, {
              layers: Array(128)
                .fill({
                  ...good.layers[0],
                  mediaType: 'application/vnd.oci.image.layer.v1.tar',
                  annotations: undefined,
                  digest: `sha256:${'0'.repeat(64)}`,
                })
                .map(({ mediaType, digest, size }) => ({ mediaType, digest, size })),
            }),
          ),
        ]),
      'too-large',
    ],
    [
      'an encrypted layer',
      () =>
        ociArchive([
          withManifest((m) =>
            Object.assign(m, {
              layers: [
                {
                  ...good.layers[0],
                  mediaType: 'application/vnd.oci.image.layer.v1.tar+encrypted',
                },
              ],
            }),
          ),
        ]),
      'layers.0: is an encrypted layer',
    ],
    [
      'an artifact that is no image',
      () =>
        ociArchive([
          withManifest((m) =>
            Object.assign(m, {
              config: { ...good.config, mediaType: 'application/vnd.oci.empty.v1+json' },
            }),
          ),
        ]),
      '"application/vnd.oci.empty.v1+json" is no configuration of an image',
    ],
    [
      'an image of another architecture',
      () => ociArchive([buildImage({ name: 'x:1', layers: [], architecture: 's390x' })]),
      'it is for linux/s390x, and not for linux/',
    ],
    [
      'an index without this platform',
      () => withIndex({ platform: { os: 'windows', architecture: 'amd64' } }),
      'no image for linux/',
    ],
    [
      'a name with a digest',
      () => docker({ RepoTags: [`good@${good.manifest.digest}`] }),
      'a tag only',
    ],
    [
      'a name that looks like an id',
      () => docker({ RepoTags: ['sha256:abcd'] }),
      'looks like an id',
    ],
  ])('refuses to load %s', async (name, archive, message) => {
    if (message === 'too-large') {
      await expect(store.load(streamed(archive()))).rejects.toBeInstanceOf(A3sError);
      await expectNothingLeft();
      return;
    }
    await expectRefused(store.load(streamed(archive())), 'invalid-image', message);
    expect(name).not.toBe('');
  });

  it('refuses to load an archive with a tag that is a path', async () => {
    for (const tag of ['../../etc:1', 'good:../../etc', '/etc/passwd', 'UPPER']) {
      await expectRefused(
        store.load(streamed(docker({ RepoTags: [tag] }))),
        'invalid-reference',
        'as the name of an image',
      );
    }
  });

  it('refuses to load documents above their size limit', async () => {
    const big = withManifest((manifest) =>
      Object.assign(manifest, { padding: 'x'.repeat(20_000) }),
    );
    await expectRefused(store.load(streamed(ociArchive([big]))), 'too-large', 'bytes');
    const config = buildImage({ layers: [], config: { Labels: { a: 'x'.repeat(20_000) } } });
    await expectRefused(store.load(streamed(dockerArchive([config]))), 'too-large', 'bytes');
  });

  it('refuses to load archives above their limits', async () => {
    const many = writeTar(Array.from({ length: 60 }, (_, index) => ({ path: String(index) })));
    await expectRefused(store.load(streamed(many)), 'too-large', 'more than 50 files');
    const bomb = writeTar([{ path: 'x', data: Buffer.alloc(10_000_000) }]);
    for (const archive of [gzipSync(bomb), execFileSync('zstd', ['-c', '-'], { input: bomb })]) {
      await expectRefused(store.load(streamed(archive)), 'too-large', 'once decompressed');
    }
  });

  it('refuses to load a decompression bomb in a layer', async () => {
    const image = buildImage({ layers: [[{ path: 'x', data: Buffer.alloc(3_000_000) }]] });
    await expectRefused(store.load(streamed(ociArchive([image]))), 'invalid-image', 'bomb');
  });

  it('refuses to load a second image whose layer has another diff ID than an existing one', async () => {
    const other = gzipSync(writeTar([{ path: 'f', data: 'evil' }]));
    const digest = sha256(other);
    const liar = withManifest((manifest) => {
      Object.assign(manifest, { layers: [{ ...good.layers[0], digest, size: other.length }] });
    });
    const archive = ociArchive([
      { ...liar, name: 'liar:1', blobs: new Map([...liar.blobs, [digest, other]]) },
    ]);
    await expectRefused(store.load(streamed(archive)), 'invalid-image', 'has the digest');
    await store.load(streamed(ociArchive([good])));
    await expect(store.load(streamed(archive))).rejects.toMatchObject({ code: 'invalid-image' });
    expect(await store.list()).toHaveLength(1);
  });

  it('refuses to load any image of an archive when one is invalid', async () => {
    const bad = buildImage({ name: 'bad:1', layers: [[{ path: '../x' }]] });
    await expectRefused(store.load(streamed(ociArchive([good, bad]))), 'invalid-image', 'upwards');
  });

  it('rejects with the error of the stream when an archive breaks off', async () => {
    async function* broken(): AsyncGenerator<Uint8Array> {
      yield ociArchive([good]).subarray(0, 2000);
      throw new Error('the client is gone');
    }
    await expect(store.load(broken())).rejects.toThrow('the client is gone');
    await expectNothingLeft();
  });
});

describe('refused directories', () => {
  it('refuses to load a path that is no directory', async () => {
    await expect(store.loadDirectory(join(root, 'none'))).rejects.toMatchObject({
      code: 'invalid-argument',
    });
  });

  it('refuses to load a layout whose blob is a FIFO, a directory or missing', async () => {
    const layout = join(root, 'images/staging/../../layout');
    writeOciLayout(layout, [good]);
    const blob = join(layout, blobPath(good.config.digest));
    for (const make of [
      () => execFileSync('mkfifo', [blob]),
      () => mkdirSync(blob),
      () => symlinkSync('nowhere', blob),
      () => writeFileSync(blob, 'other'),
    ]) {
      rmSync(blob, { recursive: true });
      make();
      await expect(store.loadDirectory(layout)).rejects.toMatchObject({ code: 'invalid-image' });
    }
  });
});

describe('an old docker-archive', () => {
  it('loads layers behind links of an old docker-archive', async () => {
    const archive = docker({ Layers: ['two/layer.tar'] }, [
      { path: 'two/layer.tar', type: 'symlink', target: '../one/layer.tar' },
      { path: 'one/layer.tar', type: 'hardlink', target: 'layer.tar' },
    ]);
    expect((await store.load(streamed(archive)))[0]?.id).toBe(good.config.digest);
  });
});
