import { beforeEach, describe, expect, it } from 'vitest';
import type { Digest } from '../oci/digest.ts';
import { fetchAttachments } from './fetch-attachments.ts';
import { FakeRegistry } from './testing/fake-registry.ts';

const IMAGE: Digest = `sha256:${'a'.repeat(64)}`;
const INDEX: Digest = `sha256:${'b'.repeat(64)}`;
const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';
const MiB = 1024 * 1024;

let registry: FakeRegistry;
beforeEach(() => {
  registry = new FakeRegistry();
});

const tagOf = (digest: Digest, suffix: string) => ({ tag: `sha256-${digest.slice(7)}.${suffix}` });

function found(subjects: readonly Digest[] = [IMAGE]) {
  const repository = registry.repository('r.example/app', { access: 'pull' });
  return fetchAttachments(repository, subjects);
}

describe('what is attached to an image', () => {
  it('finds no attachments of an image without any', async () => {
    expect(await found([IMAGE, INDEX])).toEqual([]);
  });

  it('finds the attachments at the tags of an image and of its index', async () => {
    const sig = registry.pushArtifact(tagOf(IMAGE, 'sig'), [Buffer.from('1'), Buffer.from('2')]);
    const att = registry.pushArtifact(tagOf(INDEX, 'att'), [Buffer.from('3')]);
    registry.pushArtifact(tagOf(IMAGE, 'sbom'), [Buffer.from('4')]);
    const attachments = await found([IMAGE, INDEX]);
    expect(attachments).toMatchObject([
      { subject: IMAGE, attachedBy: 'tag', digest: sig },
      { subject: INDEX, attachedBy: 'tag', digest: att },
    ]);
    expect(attachments.map(({ blobs }) => [...blobs.values()].map(String))).toEqual([
      ['1', '2'],
      ['3'],
    ]);
  });

  it.each([
    BUNDLE,
    'application/vnd.dev.sigstore.bundle+json;version=0.2',
    'application/vnd.dev.cosign.artifact.sig.v1+json',
    'application/vnd.in-toto+json',
  ])('finds a referrer of the type %s', async (type) => {
    const digest = registry.pushArtifact({ subject: IMAGE }, [Buffer.from('x')], type);
    expect(await found()).toMatchObject([{ attachedBy: 'referrer', digest, subject: IMAGE }]);
  });

  it.each(['application/spdx+json', 'application/vnd.example.sig', `${BUNDLE}x`])(
    'ignores a referrer of the type %s without fetching it',
    async (type) => {
      const digest = registry.pushArtifact({ subject: IMAGE }, [Buffer.from('x')], type);
      expect(await found()).toEqual([]);
      expect(registry.asked).not.toContain(`manifest ${digest}`);
    },
  );

  it.each([undefined, 'application/vnd.oci.empty.v1+json'])(
    'finds a referrer that the registry lists with the type %s',
    async (listed) => {
      const digest = registry.pushArtifact({ subject: IMAGE }, [Buffer.from('x')], BUNDLE);
      registry.listed.clear();
      registry.list(IMAGE, digest, listed);
      expect(await found()).toMatchObject([{ digest }]);
    },
  );

  it('ignores a listed referrer with another subject', async () => {
    const digest = registry.pushArtifact({ subject: INDEX }, [Buffer.from('x')], BUNDLE);
    registry.list(IMAGE, digest, BUNDLE);
    expect(await found()).toEqual([]);
  });

  it('returns an attachment once that is both at a tag and a referrer', async () => {
    const digest = registry.pushArtifact({ subject: IMAGE }, [Buffer.from('x')]);
    const manifest = registry.manifests.get(digest) ?? expect.fail();
    registry.manifests.set(tagOf(IMAGE, 'sig').tag, manifest);
    expect(await found()).toMatchObject([{ digest, attachedBy: 'tag' }]);
  });

  it('ignores a referrer that was deleted since it was listed', async () => {
    const digest = registry.pushArtifact({ subject: IMAGE }, [Buffer.from('x')]);
    registry.manifests.delete(digest);
    expect(await found()).toEqual([]);
  });

  it('keeps the manifest of a malformed attachment', async () => {
    const nonsense = Buffer.from('{"schemaVersion":2,"layers":7}');
    registry.addManifest(nonsense, 'text/plain', tagOf(IMAGE, 'sig').tag);
    const [attachment] = await found();
    expect(attachment).toMatchObject({ manifest: nonsense, mediaType: 'text/plain' });
    expect(attachment?.blobs.size).toBe(0);
  });
});

describe('too much of it', () => {
  it('refuses too many attachments before it fetches a blob', async () => {
    for (let count = 0; count < 65; count += 1) {
      registry.pushArtifact({ subject: IMAGE }, [Buffer.from(String(count))]);
    }
    await expect(found()).rejects.toMatchObject({
      code: 'too-large',
      message: expect.stringContaining('more than 64 are attached'),
    });
    expect(registry.fetched).toEqual([]);
  });

  it('refuses an attachment that is too large', async () => {
    registry.pushArtifact(tagOf(IMAGE, 'sig'), [Buffer.alloc(16 * MiB + 1)]);
    await expect(found()).rejects.toMatchObject({ code: 'too-large' });
    expect(registry.fetched).toEqual([]);
  });

  it('refuses attachments that are too large in total', async () => {
    for (let count = 0; count < 5; count += 1) {
      registry.pushArtifact({ subject: IMAGE }, [Buffer.alloc(15 * MiB, count)]);
    }
    await expect(found()).rejects.toMatchObject({
      code: 'too-large',
      message: expect.stringContaining('all of it has'),
    });
    expect(registry.fetched).toEqual([]);
  });
});

describe('many indexes of one image', () => {
  const indexes = Array.from(
    { length: 50 },
    (_, n): Digest => `sha256:${n.toString(16).padStart(64, '0')}`,
  );

  it('requests the attachments of many indexes a few at once, and stops above the limit', async () => {
    for (const subject of indexes) {
      for (let count = 0; count < 10; count += 1) {
        registry.pushArtifact({ subject }, [Buffer.from(`${subject} ${count}`)]);
      }
    }
    await expect(found(indexes)).rejects.toMatchObject({ code: 'too-large' });
    expect(registry.asked.filter((what) => what.startsWith('referrers')).length).toBeLessThan(10);
  });

  it('limits the manifests that it reads, including those of no interest', async () => {
    const padding = { annotations: { padding: 'x'.repeat(3 * MiB) } };
    for (let n = 0; n < 30; n += 1) {
      const manifest = { schemaVersion: 2, layers: [], n, ...padding };
      const digest = registry.addManifest(Buffer.from(JSON.stringify(manifest)), 'text/plain');
      registry.list(IMAGE, digest, undefined);
    }
    await expect(found()).rejects.toMatchObject({ code: 'too-large' });
  });
});

describe('a registry that lies', () => {
  it('refuses an attachment manifest with another digest', async () => {
    registry.pushArtifact(tagOf(IMAGE, 'sig'), [Buffer.from('x')]);
    const { tag } = tagOf(IMAGE, 'sig');
    const manifest = registry.manifests.get(tag) ?? expect.fail();
    registry.manifests.set(tag, { ...manifest, bytes: Buffer.from('{}') });
    await expect(found()).rejects.toMatchObject({ code: 'invalid-image' });
  });

  it.each([
    ['other', () => Buffer.from('y')],
    ['more', () => Buffer.alloc(1000)],
    ['fewer', () => Buffer.alloc(0)],
  ])('refuses an attachment of which the registry sends %s bytes', async (_, lie) => {
    registry.pushArtifact(tagOf(IMAGE, 'sig'), [Buffer.from('x')]);
    registry.stream = async function* () {
      yield lie();
    };
    await expect(found()).rejects.toMatchObject({
      code: 'invalid-image',
      message: expect.stringContaining('other bytes than its digest says'),
    });
  });

  it('throws when the list of referrers fails other than with 404', async () => {
    registry.before = (what) => {
      if (what.startsWith('referrers')) throw new RangeError('no answer');
    };
    await expect(found()).rejects.toThrow('no answer');
  });
});
