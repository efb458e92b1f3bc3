import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ImageStore } from '../image.ts';
import { sha256 } from '../testing/build-image.ts';
import { streamed } from '../testing/streams.ts';
import { type TemporaryStore, temporaryStore } from '../testing/temporary-store.ts';
import { blobPath, changed, good } from '../testing/variants.ts';

let store: ImageStore;
let temporary: TemporaryStore;
beforeEach(async () => {
  temporary = await temporaryStore();
  ({ store } = temporary);
});
afterEach(() => temporary.remove());

describe('nested indexes', () => {
  it('stops at indexes that list indexes many times over', async () => {
    const archive = changed((files) => {
      let entry: object = {
        ...good.manifest,
        platform: { os: 'unknown', architecture: 'unknown' },
      };
      for (let depth = 0; depth < 5; depth += 1) {
        const manifests = Array(40).fill(entry);
        const index = Buffer.from(JSON.stringify({ schemaVersion: 2, manifests }));
        if (depth === 4) files.set('index.json', index);
        else files.set(blobPath(sha256(index)), index);
        const mediaType = 'application/vnd.oci.image.index.v1+json';
        entry = { mediaType, digest: sha256(index), size: index.length };
      }
    });
    await expect(store.load(streamed(archive))).rejects.toMatchObject({
      ...{ code: 'invalid-image', message: expect.stringContaining('no image for') },
    });
    expect(await temporary.remains()).toEqual([]);
  });

  it('loads the image of this platform from nested indexes that lack the other images', async () => {
    const platform = { os: 'linux', architecture: good.manifest.platform?.architecture ?? '' };
    const index = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        manifests: [
          {
            ...good.manifest,
            digest: `sha256:${'1'.repeat(64)}`,
            platform: { os: 'linux', architecture: 's390x' },
          },
          {
            ...good.manifest,
            digest: `sha256:${'2'.repeat(64)}`,
            platform: { os: 'unknown', architecture: 'unknown' },
          },
          { ...good.manifest, platform: platform.architecture === '' ? undefined : platform },
        ],
      }),
    );
    const archive = changed((files) => {
      files.set(blobPath(sha256(index)), index);
      files.set(
        'index.json',
        Buffer.from(
          JSON.stringify({
            schemaVersion: 2,
            manifests: [
              {
                mediaType: 'application/vnd.oci.image.index.v1+json',
                digest: sha256(index),
                size: index.length,
                annotations: {
                  'io.containerd.image.name': 'docker.io/library/multi:1',
                  'org.opencontainers.image.ref.name': '1',
                },
              },
            ],
          }),
        ),
      );
    });
    const [image] = await store.load(streamed(archive));
    expect(image).toMatchObject({ tags: ['multi:1'], id: good.config.digest });
  });
});
