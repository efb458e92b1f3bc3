import { beforeEach, describe, expect, it } from 'vitest';
import { A3sError } from '../errors.ts';
import type { Attachment } from '../images/attachments/attachment.ts';
import { type Digest, digestOf } from '../oci/digest.ts';
import type { Registry, Repository } from '../registry/registry.ts';
import { pushAttachment, storeAttachment } from './attach.ts';
import { attachmentTag, type PayloadLayer } from './attachment-artifact.ts';
import { freshAttachments } from './refresh.ts';

const SUBJECT: Digest = `sha256:${'1'.repeat(64)}`;
const TAG = attachmentTag(SUBJECT, 'signature');

const signature = (text: string): PayloadLayer => ({
  mediaType: 'application/vnd.dev.cosign.simplesigning.v1+json',
  annotations: { 'dev.cosignproject.cosign/signature': text },
  data: Buffer.from(text),
});
const addition = (...texts: string[]) =>
  ({ subject: SUBJECT, kind: 'signature', layers: texts.map(signature) }) as const;

/** The part of a repository that these tests need. */
class MemoryRepository implements Repository {
  readonly name = 'registry.example/app';
  readonly blobs = new Map<Digest, Buffer>();
  readonly manifests = new Map<string, { mediaType: string; bytes: Buffer }>();

  async manifest(reference: string) {
    const found = this.manifests.get(reference);
    return found === undefined ? undefined : { ...found, digest: digestOf(found.bytes) };
  }

  async describe() {
    return undefined;
  }

  async *blob({ digest }: { digest: Digest }): AsyncGenerator<Uint8Array> {
    const bytes = this.blobs.get(digest);
    if (bytes === undefined) throw new A3sError('not-in-registry', 'no such blob');
    yield bytes;
  }

  async hasBlob(digest: Digest) {
    return this.blobs.has(digest);
  }

  async referrers() {
    return [];
  }

  async putManifest(reference: string, mediaType: string, bytes: Buffer) {
    this.manifests.set(reference, { mediaType, bytes });
    return digestOf(bytes);
  }

  async putBlob(
    { digest, size }: { digest: Digest; size: number },
    open: (offset: number) => AsyncIterable<Uint8Array>,
  ) {
    const chunks: Uint8Array[] = [];
    for await (const chunk of open(0)) chunks.push(chunk);
    const bytes = Buffer.concat(chunks);
    expect([digestOf(bytes), bytes.length]).toEqual([digest, size]);
    this.blobs.set(digest, bytes);
    return 'uploaded' as const;
  }
}

class MemoryStore {
  stored: readonly Attachment[] = [];

  async attachments(subjects: readonly Digest[]) {
    return this.stored.filter(({ subject }) => subjects.includes(subject));
  }

  async attach(subjects: readonly Digest[], attachments: readonly Attachment[]) {
    const others = this.stored.filter(({ subject }) => !subjects.includes(subject));
    this.stored = [...others, ...attachments];
  }
}

function layersOf(manifest: Buffer | undefined): readonly string[] {
  const { layers } = JSON.parse(String(manifest)) as { layers: { digest: string }[] };
  return layers.map(({ digest }) => digest);
}

const digests = (...texts: string[]): string[] => texts.map((text) => digestOf(Buffer.from(text)));

let repository: MemoryRepository;
beforeEach(() => {
  repository = new MemoryRepository();
});

describe('a signature that is pushed', () => {
  it('pushes a signature beside the existing ones', async () => {
    await pushAttachment(repository, addition('a'));
    const digest = await pushAttachment(repository, addition('b', 'c'));
    const tagged = await repository.manifest(TAG);
    expect(tagged?.digest).toBe(digest);
    expect(layersOf(tagged?.bytes)).toEqual(digests('a', 'b', 'c'));
  });

  it('refuses to push a signature over an artifact of another kind', async () => {
    const other = Buffer.from('{"schemaVersion":2,"manifests":[]}');
    await repository.putManifest(TAG, 'application/vnd.oci.image.index.v1+json', other);
    await expect(pushAttachment(repository, addition('a'))).rejects.toMatchObject({
      code: 'invalid-image',
      message: expect.stringContaining(`registry.example/app:${TAG}`),
    });
    expect((await repository.manifest(TAG))?.bytes).toEqual(other);
  });
});

describe('a signature that is stored alone', () => {
  it('stores a signature beside the existing ones, and leaves other artifacts unchanged', async () => {
    const store = new MemoryStore();
    await storeAttachment(store, { ...addition(), kind: 'attestation', layers: [attestation()] });
    await storeAttachment(store, addition('a'));
    await storeAttachment(store, addition('b'));
    expect(store.stored.map(({ manifest }) => layersOf(manifest))).toEqual([
      digests('statement'),
      digests('a', 'b'),
    ]);
    expect([...(store.stored[1]?.blobs.keys() ?? [])]).toEqual(digests('a', 'b'));
  });

  it('stores all of several concurrent signatures, whatever else is at the tag', async () => {
    const store = new MemoryStore();
    const nonsense = Buffer.from('{"layers":7}');
    const at = { subject: SUBJECT, attachedBy: 'tag', mediaType: 'text/plain' } as const;
    store.stored = [{ ...at, digest: digestOf(nonsense), manifest: nonsense, blobs: new Map() }];
    await Promise.all(['a', 'b', 'c'].map((text) => storeAttachment(store, addition(text))));
    expect(store.stored).toHaveLength(2);
    expect(layersOf(store.stored[1]?.manifest ?? nonsense)).toEqual(digests('a', 'b', 'c'));
  });
});

function attestation(): PayloadLayer {
  const mediaType = 'application/vnd.dsse.envelope.v1+json';
  return { mediaType, annotations: {}, data: Buffer.from('statement') };
}

describe('what is fetched anew', () => {
  const registry = (asked: unknown[]): Registry => ({
    repository: (name, options) => {
      asked.push([name, options.credentials]);
      return repository;
    },
    login: () => Promise.reject(new Error('nobody logs in')),
    close: async () => undefined,
  });
  const request = {
    names: ['registry.example/app:1', 'registry.example/app:2'],
    subjects: [SUBJECT],
    credentials: { username: 'u', password: 'secret' },
    signal: new AbortController().signal,
  };

  it('fetches attachments from each repository once', async () => {
    await pushAttachment(repository, addition('a'));
    const asked: unknown[] = [];
    const fresh = await freshAttachments(registry(asked), request);
    expect(asked).toEqual([['registry.example/app', request.credentials]]);
    expect(fresh).toMatchObject([{ subject: SUBJECT, attachedBy: 'tag' }]);
    repository.manifests.clear();
    expect(await freshAttachments(registry([]), request)).toEqual([]);
  });

  it('refuses credentials for one registry when the names are in another', async () => {
    const asked: unknown[] = [];
    const names = ['registry.example/app:1', 'other.example/app:1'];
    await expect(freshAttachments(registry(asked), { ...request, names })).rejects.toMatchObject({
      code: 'invalid-argument',
    });
    expect(asked).toEqual([]);
    await freshAttachments(registry(asked), { ...request, names, credentials: undefined });
    expect(asked).toHaveLength(2);
  });

  it('refuses to fetch attachments of an image without a name', async () => {
    await expect(freshAttachments(registry([]), { ...request, names: [] })).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining('no name'),
    });
  });
});
