import { buffer } from 'node:stream/consumers';
import { FUZZ_TIMEOUT, fuzz } from '@a3s-box/test-fuzz';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { A3sError } from '../../errors.ts';
import type { Digest } from '../../oci/digest.ts';
import type { Attachment } from '../attachments/attachment.ts';
import { buildImage, ociArchive, sha256 } from '../testing/build-image.ts';
import { signatureOf, signedArchive } from '../testing/signed-image.ts';
import { streamed } from '../testing/streams.ts';
import { type TemporaryStore, temporaryStore } from '../testing/temporary-store.ts';

let temporary: TemporaryStore;
beforeEach(async () => {
  temporary = await temporaryStore();
});
afterEach(() => temporary.remove());

const image = buildImage({ name: 'docker.io/team/app:1', layers: [[{ path: 'a', data: 'a' }]] });
const subject = image.manifest.digest as Digest;

const load = (...attachments: readonly Attachment[]) =>
  temporary.store.load(streamed(signedArchive(image, attachments)));
const stored = () => temporary.store.attachments([subject]);

const byDigest = (attachments: readonly Attachment[]) =>
  [...attachments].sort((a, b) => (a.digest < b.digest ? -1 : 1));

/** The attachment with another manifest and its digest. */
function withManifest(attachment: Attachment, value: unknown): Attachment {
  const manifest = Buffer.from(JSON.stringify(value));
  return { ...attachment, manifest, digest: sha256(manifest) as Digest };
}

describe('what an archive has beside its images', () => {
  it('stores the attachments in an archive, at a tag or with a subject', async () => {
    const attachments = [signatureOf(subject), signatureOf(subject, 'referrer')];
    const loaded = await load(...attachments);
    expect(loaded.map(({ tags }) => tags)).toEqual([['team/app:1']]);
    expect(await stored()).toEqual(byDigest(attachments));
  });

  it('adds attachments of an archive to the stored ones, and removes none', async () => {
    const [first, second] = [signatureOf(subject, 'sig', 'a'), signatureOf(subject, 'sig', 'b')];
    await load(first);
    await load(second);
    await temporary.store.load(streamed(ociArchive([image])));
    expect(await stored()).toEqual(byDigest([first, second]));
  });

  it('replaces the stored attachments where both together exceed the limit', async () => {
    const sixty = (name: string) =>
      Array.from({ length: 60 }, (_, n) => signatureOf(subject, 'sig', `${name}${n}`));
    await load(...sixty('old'));
    await load(...sixty('new'));
    expect(await stored()).toEqual(byDigest(sixty('new')));
  });

  it('ignores an archived attachment of another image', async () => {
    await load(signatureOf(`sha256:${'7'.repeat(64)}`), signatureOf(subject));
    expect(await stored()).toHaveLength(1);
  });

  it('keeps stored payloads when an archive has the same attachment without them', async () => {
    const signature = signatureOf(subject);
    await load(signature);
    await load({ ...signature, blobs: new Map() });
    expect(await stored()).toEqual([signature]);
  });

  it.each([
    ['text', 'no manifest'],
    ['a digest that is a path', { layers: [{ mediaType: 'x', digest: 'sha256:../x', size: 1 }] }],
    [
      'a payload that is not there',
      { layers: [{ mediaType: 'x', digest: `sha256:${'7'.repeat(64)}`, size: 5 }] },
    ],
    ['very many payloads', { layers: Array.from({ length: 2000 }, () => ({})) }],
  ])(
    'stores an archived attachment unchanged for the policy to judge where its manifest is %s',
    async (_, value) => {
      const strange = withManifest({ ...signatureOf(subject), blobs: new Map() }, value);
      await temporary.store.load(streamed(signedArchive(image, [strange])));
      expect(await stored()).toEqual([strange]);
      const again = await temporaryStore();
      try {
        const bytes = await buffer(await temporary.store.save(['team/app:1']));
        await again.store.load(streamed(bytes));
        expect(await again.store.attachments([subject])).toEqual([strange]);
      } finally {
        again.remove();
      }
    },
  );

  it('removes the attachments with their image', async () => {
    const [loaded] = await load(signatureOf(subject));
    await temporary.store.remove(loaded?.id ?? '', { force: true, inUse: () => false });
    expect(await temporary.remains()).toEqual([]);
  });
});

describe('refused archives', () => {
  const signature = signatureOf(subject);
  const [[blob, bytes] = expect.fail()] = [...signature.blobs];
  const layer = { mediaType: 'x/y', digest: blob, size: bytes.length };
  it.each([
    [
      'a payload that was changed',
      [{ ...signature, blobs: new Map([[blob, Buffer.from(bytes).fill(0, 0, 1)]]) }],
      'invalid-image',
      /has the digest/,
    ],
    [
      'a payload that is too large, before it is read',
      [withManifest(signature, { layers: [{ ...layer, size: 1 << 25 }] })],
      'too-large',
      /a signature has 33554432 bytes/,
    ],
    [
      'more signatures than an image may have',
      Array.from({ length: 65 }, (_, n) => signatureOf(subject, 'sig', `${n}`)),
      'too-large',
      /65 artifacts/,
    ],
    [
      'more signatures than an archive may have',
      Array.from({ length: 1100 }, () => signatureOf(`sha256:${'7'.repeat(64)}`)),
      'too-large',
      /more than 1024 signatures/,
    ],
  ])('refuses an archive with attachments: %s', async (_, attachments, code, message) => {
    await expect(load(...attachments)).rejects.toMatchObject({
      code,
      message: expect.stringMatching(message),
    });
    expect(await temporary.remains()).toEqual([]);
  });
});

it(
  'stores any document at the tag of a signature or refuses it, and never as an image',
  async () => {
    const keys = ['layers', 'subject', 'digest', 'size', 'mediaType', 'config', '__proto__'];
    const { document } = fc.letrec<{ document: unknown }>((tie) => ({
      document: fc.oneof(
        { depthSize: 'small' },
        fc.constantFrom<unknown>(null, -1, 5, '', subject, 'sha256:../x'),
        fc.array(tie('document'), { maxLength: 3 }),
        fc.dictionary(fc.constantFrom(...keys), tie('document'), { maxKeys: 4 }),
      ),
    }));
    await fuzz(
      fc.asyncProperty(document, fc.constantFrom('sig', 'referrer'), async (value, kind) => {
        const attachment = withManifest(signatureOf(subject, kind), value);
        const loaded = await load(attachment).catch((error: unknown) => {
          expect(error).toBeInstanceOf(A3sError);
          return [];
        });
        for (const { id } of loaded) {
          expect(id).toBe(image.config.digest);
          await temporary.store.remove(id, { force: true, inUse: () => false });
        }
      }),
    );
    expect(await temporary.remains()).toEqual([]);
  },
  FUZZ_TIMEOUT,
);
