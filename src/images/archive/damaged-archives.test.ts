import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import type { ImageStore } from '../image.ts';
import { type BuiltImage, dockerArchive, ociArchive, sha256 } from '../testing/build-image.ts';
import { streamed } from '../testing/streams.ts';
import { type TemporaryStore, temporaryStore } from '../testing/temporary-store.ts';
import { blobPath, changed, ESCAPE, good, withManifest } from '../testing/variants.ts';

let store: ImageStore;
let temporary: TemporaryStore;

beforeEach(async () => {
  temporary = await temporaryStore();
  ({ store } = temporary);
});

afterEach(() => temporary.remove());

async function expectNothingLeft(): Promise<void> {
  expect(await temporary.remains()).toEqual([]);
}

it(
  'loads a damaged archive as a whole, or refuses it and leaves no file',
  async () => {
    const bases = [ociArchive([good]), dockerArchive([good])];
    await fuzz(
      fc.asyncProperty(
        fc.constantFrom(...bases),
        fc.array(fc.tuple(fc.nat(20_000), fc.nat(255)), { minLength: 1, maxLength: 3 }),
        async (base, edits) => {
          const archive = Buffer.from(base);
          for (const [at, byte] of edits) archive[at % archive.length] = byte;
          const loaded = await store.load(streamed(archive)).catch((error: unknown) => {
            expect(error).toBeInstanceOf(A3sError);
            return [];
          });
          for (const { id } of loaded) await store.remove(id, { force: true, inUse: () => false });
          await expectNothingLeft();
        },
      ),
    );
  },
  FUZZ_TIMEOUT,
);

it(
  'loads an archive with any documents, or refuses it',
  async () => {
    const keys = ['schemaVersion', 'mediaType', 'manifests', 'layers', 'config', 'digest', 'size'];
    const more = ['rootfs', 'diff_ids', 'type', 'annotations', 'platform', 'Env', '__proto__'];
    const { document } = fc.letrec<{ document: unknown }>((tie) => ({
      document: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom<unknown>(null, 2, -1, '', 'layers', 'linux', 'amd64', true),
        fc.constantFrom(good.manifest.digest, good.config.digest, ESCAPE, good.config.mediaType),
        fc.array(tie('document'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...keys, ...more), tie('document'), { maxKeys: 5 }),
        fc.constantFrom(good.manifest, good.config, ...good.layers),
      ),
    }));
    const places = ['index.json', good.manifest.digest, good.config.digest];
    await fuzz(
      fc.asyncProperty(fc.constantFrom(...places), document, async (place, value) => {
        const bytes = Buffer.from(JSON.stringify(value));
        const archive = changed(
          (files) => {
            if (place === 'index.json') files.set(place, bytes);
            else files.set(blobPath(sha256(bytes)), bytes);
          },
          place === 'index.json' ? good : pointing(place, bytes),
        );
        const loaded = await store.load(streamed(archive)).catch((error: unknown) => {
          expect(error).toBeInstanceOf(A3sError);
          return [];
        });
        for (const { id } of loaded) await store.remove(id, { force: true, inUse: () => false });
      }),
    );
    await expectNothingLeft();
  },
  FUZZ_TIMEOUT,
);

/** The good image with one document replaced, and the references to it updated. */
function pointing(place: string, bytes: Buffer): BuiltImage {
  const part = { digest: sha256(bytes), size: bytes.length };
  if (place === good.manifest.digest) return { ...good, manifest: { ...good.manifest, ...part } };
  return withManifest((manifest) =>
    Object.assign(manifest, { config: { ...good.config, ...part } }),
  );
}
