import { afterEach, beforeEach, expect, it } from 'vitest';
import { type BuiltImage, buildImage, type ImageSpec } from '../../images/testing/build-image.ts';
import { writeTar } from '../../images/testing/tar-writer.ts';
import { type TemporaryStore, temporaryStore } from '../../images/testing/temporary-store.ts';
import { type Digest, digestOf } from '../../oci/digest.ts';
import { OCI_INDEX, OCI_MANIFEST } from '../../oci/media-types.ts';
import { hostPlatform, type Platform } from '../../oci/platform.ts';
import { builderOf } from '../testing/builder-of.ts';
import { importResult } from './import-result.ts';

let made: TemporaryStore;
beforeEach(async () => {
  made = await temporaryStore();
});
afterEach(() => made.remove());

const { signal } = new AbortController();
const BASE = { name: 'x:1', manifest: 'sha256:1', verdict: 'unsigned', reason: 'y', policy: 'z' };
const NAME = 'docker.io/library/app:1';
const LAYER = writeTar([{ path: 'made', data: 'made' }]);

const built = (spec: Partial<ImageSpec> = {}): BuiltImage =>
  buildImage({ name: 'app:1', layers: [LAYER], config: {}, ...spec });

function importing(
  blobs: ReadonlyMap<string, Uint8Array>,
  digest: string,
  asked: string[] = [],
): ReturnType<typeof importResult> {
  const result = { digest: digest as Digest, names: [NAME], bases: [BASE] };
  return importResult(made.store, builderOf(blobs, asked), result, signal);
}

const [AMD64, ARM64] = ['amd64', 'arm64'].map((architecture) => ({
  os: 'linux',
  architecture,
})) as [Platform, Platform];

/** An index as BuildKit writes it, with an attestation that is not read, after those of another. */
function indexOf({ manifest }: BuiltImage, platform = hostPlatform(), other?: Buffer): Buffer {
  const { mediaType, digest, size } = manifest;
  const attestation = {
    ...{ mediaType: OCI_MANIFEST, digest: digestOf('attestation'), size: 11 },
    platform: { os: 'unknown', architecture: 'unknown' },
  };
  const { manifests: others = [] } = (other === undefined ? {} : JSON.parse(other.toString())) as {
    manifests?: object[];
  };
  const manifests = [...others, attestation, { mediaType, digest, size, platform }];
  return Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }));
}

it('stores the image of this host, with the index as it was built', async () => {
  const image = built();
  const index = indexOf(image);
  const blobs = new Map<string, Uint8Array>([...image.blobs, [digestOf(index), index]]);
  const stored = await importing(blobs, digestOf(index));
  expect(stored).toMatchObject({
    ...{ manifestDigest: image.manifest.digest, indexDigests: [digestOf(index)] },
    ...{ tags: ['app:1'], origins: [{ kind: 'build', reference: 'app:1', bases: [BASE] }] },
  });
});

it('reads no blob that the store has', async () => {
  const first = built();
  const second = built({ config: { Env: ['A=b'] } });
  const asked: string[] = [];
  await importing(first.blobs, first.manifest.digest, asked);
  expect(new Set(asked)).toEqual(new Set(first.blobs.keys()));
  asked.splice(0);
  await importing(second.blobs, second.manifest.digest, asked);
  const added = [...second.blobs.keys()].filter((digest) => !first.blobs.has(digest));
  expect(asked.toSorted()).toEqual(added.toSorted());
  expect(added).toHaveLength(2);
});

it.each([
  ['the manifest', (image: BuiltImage) => image.manifest.digest],
  ['a layer', () => digestOf(LAYER)],
])('stores nothing where the builder sends other bytes for %s', async (_, which) => {
  const image = built({ compression: 'none' });
  const digest = which(image);
  expect(image.blobs.has(digest)).toBe(true);
  const blobs = new Map<string, Uint8Array>([...image.blobs]);
  const bytes = Buffer.from(image.blobs.get(digest) ?? '');
  bytes[bytes.length - 1] = 1;
  blobs.set(digest, bytes);
  await expect(importing(blobs, image.manifest.digest)).rejects.toMatchObject({
    code: 'invalid-image',
  });
  expect(await made.remains()).toEqual([]);
});

it('stores nothing where the builder lacks a layer', async () => {
  const image = built({ compression: 'none' });
  const blobs = new Map([...image.blobs].filter(([digest]) => digest !== digestOf(LAYER)));
  await expect(importing(blobs, image.manifest.digest)).rejects.toMatchObject({
    code: 'builder-failed',
  });
  expect(await made.remains()).toEqual([]);
});

it('stores a result for a platform that boxes here emulate, where it has none for this host', async () => {
  const [arm, host] = [built({ architecture: 'arm64' }), built({ architecture: 'amd64' })];
  const [armIndex, bothIndex] = [indexOf(arm, ARM64), indexOf(host, AMD64, indexOf(arm, ARM64))];
  const blobs = new Map<string, Uint8Array>([
    ...[...arm.blobs, ...host.blobs],
    ...[armIndex, bothIndex].map((bytes) => [digestOf(bytes), bytes] as const),
  ]);
  for (const [digest, image] of [
    [arm.manifest.digest, arm],
    [digestOf(armIndex), arm],
    [digestOf(bothIndex), host],
  ] as const) {
    const stored = await importing(blobs, digest);
    expect(stored).toMatchObject({
      manifestDigest: image.manifest.digest,
      architecture: image === arm ? 'arm64' : 'amd64',
    });
  }
  const other = built({ architecture: 'riscv64' });
  await expect(importing(other.blobs, other.manifest.digest)).rejects.toThrow(/linux\/riscv64/);
});

it('refuses a result for other platforms alone, and documents beyond their bound', async () => {
  const image = built();
  const index = indexOf(image, { os: 'linux', architecture: 'riscv64' });
  const long = Buffer.alloc(4 * 1024 * 1024 + 1);
  const blobs = new Map([index, long].map((bytes) => [digestOf(bytes), bytes] as const));
  await expect(importing(blobs, digestOf(index))).rejects.toThrow(/has no image for linux\//);
  await expect(importing(blobs, digestOf(long))).rejects.toThrow('more than 4194304 bytes');
});
