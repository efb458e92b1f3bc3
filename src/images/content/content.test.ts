import { afterEach, beforeEach, expect, it } from 'vitest';
import { digestOf } from '../../oci/digest.ts';
import { OCI_INDEX } from '../../oci/media-types.ts';
import { hostPlatform } from '../../oci/platform.ts';
import { buildImage } from '../testing/build-image.ts';
import { MemorySource } from '../testing/memory-source.ts';
import { type TemporaryStore, temporaryStore } from '../testing/temporary-store.ts';

let temporary: TemporaryStore;
beforeEach(async () => {
  temporary = await temporaryStore();
});
afterEach(() => temporary.remove());

it.each(['succeeds', 'fails'])(
  'keeps the content of a removed image until the transfer that reads it %s',
  async (how) => {
    const { store } = temporary;
    const built = buildImage({ layers: [[{ path: 'file', data: 'content' }]] });
    const image = await store.ingest(
      new MemorySource(built, { names: ['docker.io/library/app:1'] }),
    );
    const sent: string[] = [];
    const sending = store.content(image, async ({ blobs }) => {
      await store.remove('app:1', { force: false, inUse: () => false });
      for (const { digest, open } of blobs) {
        for await (const _ of open(0)) sent.push(digest);
      }
      if (how === 'fails') throw new RangeError('cut');
    });
    if (how === 'fails') await expect(sending).rejects.toThrow('cut');
    else await sending;
    expect(sent).toEqual([built.config.digest, ...built.layers.map(({ digest }) => digest)]);
    expect(await temporary.remains()).toEqual([]);
  },
);

it('gives the indexes that list the manifest, as they were pulled', async () => {
  const { store } = temporary;
  const built = buildImage({ layers: [[]] });
  const platform = hostPlatform();
  const bytes = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI_INDEX,
      manifests: [{ ...built.manifest, platform }],
    }),
  );
  const index = { digest: digestOf(bytes), mediaType: OCI_INDEX, bytes };
  const names = ['docker.io/library/app:1'];
  const image = await store.ingest(new MemorySource(built, { names, indexes: [index] }));
  expect(await store.content(image, ({ indexes }) => indexes())).toEqual([index]);
});
