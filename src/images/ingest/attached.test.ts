import { createHash } from 'node:crypto';
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Digest, digestOf } from '../../oci/digest.ts';
import type { Attachment } from '../attachments/attachment.ts';
import { type BuiltImage, buildImage } from '../testing/build-image.ts';
import { MemorySource } from '../testing/memory-source.ts';
import { type TemporaryStore, temporaryStore } from '../testing/temporary-store.ts';

let temporary: TemporaryStore;
beforeEach(async () => {
  temporary = await temporaryStore();
});
afterEach(() => temporary.remove());

const inUse = () => false;

const layersOf = (...names: string[]) =>
  names.map((name) => [{ path: name, data: Buffer.alloc(200_000, name) }]);

const imageOf = (...names: string[]): BuiltImage =>
  buildImage({ layers: layersOf(...names), compression: 'none' });

describe('what is attached', () => {
  const image = imageOf('a');
  const attachment = (subject: Digest, text: string): Attachment => {
    const blob = Buffer.from(`signature ${text}`);
    const manifest = Buffer.from(JSON.stringify({ schemaVersion: 2, text }));
    return {
      subject,
      attachedBy: 'tag',
      mediaType: 'application/vnd.oci.image.manifest.v1+json',
      digest: digestOf(manifest),
      manifest,
      blobs: new Map([[digestOf(blob), blob]]),
    };
  };
  const ingest = (attachments?: readonly Attachment[]) =>
    temporary.store.ingest(
      new MemorySource(image, {
        names: ['docker.io/library/app:1'],
        ...(attachments === undefined ? {} : { attachments }),
      }),
    );
  const subject = digestOf(image.blobs.get(image.manifest.digest) ?? Buffer.alloc(0));
  const blobCount = () => readdirSync(join(temporary.root, 'images/blobs/sha256')).length;

  it('reads an attachment back as it was stored, and removes it with the image', async () => {
    const attached = attachment(subject, 'a');
    await ingest([attached]);
    expect(await temporary.store.attachments([subject, subject])).toEqual([attached]);
    expect(blobCount()).toBe(5);
    await temporary.store.remove('app:1', { force: false, inUse });
    expect(await temporary.remains()).toEqual([]);
  });

  it('replaces the attachments of an image as a whole, and keeps them when none are given', async () => {
    await ingest([attachment(subject, 'a'), attachment(subject, 'b')]);
    await ingest();
    expect(await temporary.store.attachments([subject])).toHaveLength(2);
    const last = attachment(subject, 'c');
    await temporary.store.attach([subject], [last]);
    expect(await temporary.store.attachments([subject])).toEqual([last]);
    expect(blobCount()).toBe(5);
    await temporary.store.attach([subject], []);
    expect(await temporary.store.attachments([subject])).toEqual([]);
    expect(blobCount()).toBe(3);
  });

  it('refuses an attachment for a missing image, and one with bytes of another digest', async () => {
    await ingest();
    const other: Digest = `sha256:${'0'.repeat(64)}`;
    await expect(temporary.store.attach([other], [])).rejects.toMatchObject({
      code: 'no-such-image',
    });
    const stray = attachment(other, 'a');
    await expect(temporary.store.attach([subject], [stray])).rejects.toThrow(/is attached to/);
    const wrong = { ...attachment(subject, 'a'), digest: other };
    await expect(temporary.store.attach([subject], [wrong])).rejects.toThrow(/another digest/);
    const many = Array.from({ length: 65 }, (_, index) => attachment(subject, String(index)));
    await expect(temporary.store.attach([subject], many)).rejects.toMatchObject({
      code: 'too-large',
    });
    expect(await temporary.store.attachments([subject])).toEqual([]);
    expect(readdirSync(join(temporary.root, 'images/staging'))).toEqual([]);
  });

  it('refuses an attachment that was changed on disk', async () => {
    const attached = attachment(subject, 'a');
    await ingest([attached]);
    const [blob = expect.fail()] = attached.blobs.keys();
    const path = join(temporary.root, 'images/blobs/sha256', blob.slice(7));
    const bytes = readFileSync(path);
    await temporary.store.attach([subject], [attached]);
    writeFileSync(path, createHash('sha256').update(bytes).digest().subarray(0, bytes.length), {
      mode: 0o600,
    });
    await expect(temporary.store.attachments([subject])).rejects.toMatchObject({
      code: 'invalid-image',
      remedy: 'Pull the image again.',
    });
  });
});
