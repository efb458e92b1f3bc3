import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type BuiltImage, buildImage } from '../images/testing/build-image.ts';
import { type TemporaryStore, temporaryStore } from '../images/testing/temporary-store.ts';
import { withManifest } from '../images/testing/variants.ts';
import { parseReference } from '../oci/reference.ts';
import type { TrustQuestion } from '../trust/question.ts';
import { type PullEvent, type PullRequest, type PullResult, pullImage } from './pull.ts';
import { decisionOf } from './testing/decisions.ts';
import { FakeRegistry } from './testing/fake-registry.ts';

const AMD64 = { os: 'linux', architecture: 'amd64' };
const ARM64 = { os: 'linux', architecture: 'arm64' };

let temporary: TemporaryStore;
let registry: FakeRegistry;
let questions: TrustQuestion[];
beforeEach(async () => {
  temporary = await temporaryStore(undefined, AMD64);
  registry = new FakeRegistry();
  questions = [];
});
afterEach(() => temporary.remove());

const imageOf = (text: string, more: object = {}) =>
  buildImage({
    layers: [[{ path: 'base', data: 'base' }], [{ path: 'file', data: text }]],
    architecture: 'amd64',
    ...more,
  });

const attestation = (): BuiltImage =>
  buildImage({ layers: [], architecture: 'unknown', config: { Labels: { it: 'is none' } } });

function pull(
  name: string,
  options: Partial<PullRequest> & { verdict?: 'signed' | 'unsigned' | 'refused' } = {},
): Promise<PullResult> {
  const { verdict, ...request } = options;
  return pullImage(
    {
      registry,
      images: temporary.store,
      platform: AMD64,
      decide: async (question) => {
        questions.push(question);
        return decisionOf(question, verdict, verdict === 'refused' ? 'rule 3 says no' : 'fine');
      },
    },
    { reference: parseReference(name), ...request },
  );
}

describe('pull', () => {
  it('stores a pulled image with its name, its digest and its origin', async () => {
    const built = imageOf('a');
    const digest = registry.push('1', built);
    const { image, upToDate } = await pull('registry.example:5000/team/app:1');
    expect(upToDate).toBe(false);
    expect(image).toMatchObject({
      id: built.config.digest,
      manifestDigest: digest,
      tags: ['registry.example:5000/team/app:1'],
      repoDigests: [`registry.example:5000/team/app@${digest}`],
      indexDigests: [],
      origins: [{ kind: 'pull', reference: 'registry.example:5000/team/app:1' }],
    });
    expect(await temporary.store.bootLayers(image)).toHaveLength(2);
    const byDigest = await temporary.store.resolve(`registry.example:5000/team/app@${digest}`);
    expect(byDigest.id).toBe(image.id);
  });

  it('reports an image that is up to date, and fetches no blob of it again', async () => {
    registry.push('1', imageOf('a'));
    await pull('team/app:1');
    registry.asked.length = 0;
    const events: PullEvent[] = [];
    const again = await pull('team/app:1', { progress: (event) => events.push(event) });
    expect(again.upToDate).toBe(true);
    expect(registry.fetched).toEqual([]);
    expect(events).toEqual([{ state: 'found' }]);
  });

  it('moves the name to a newer image, and fetches only the missing blobs', async () => {
    const first = imageOf('a');
    const second = imageOf('b');
    registry.push('1', first);
    await pull('team/app:1');
    registry.push('1', second);
    registry.asked.length = 0;
    const { image, upToDate } = await pull('team/app:1');
    expect(upToDate).toBe(false);
    expect(registry.fetched.sort()).toEqual(
      [second.config.digest, second.layers[1]?.digest].sort(),
    );
    expect((await temporary.store.resolve('team/app:1')).id).toBe(image.id);
    const old = await temporary.store.resolve(first.config.digest);
    expect([old.tags, old.repoDigests.length]).toEqual([[], 1]);
  });

  it('stores an image that is pulled by digest without a tag', async () => {
    const digest = registry.push('1', imageOf('a'));
    const { image } = await pull(`team/app:9@${digest}`);
    expect(image.tags).toEqual([]);
    expect(image.repoDigests).toEqual([`team/app@${digest}`]);
    expect(registry.asked[0]).toBe(`manifest ${digest}`);
  });

  it('reports each step of each layer of a pull', async () => {
    const built = imageOf('a');
    registry.push('1', built);
    const events: PullEvent[] = [];
    await pull('team/app:1', { progress: (event) => events.push(event) });
    const of = (digest: string | undefined) =>
      events.filter((event) => event.state !== 'found' && event.layer === digest);
    const [base] = built.layers;
    expect(of(base?.digest).map(({ state }) => state)).toEqual([
      'planned',
      'downloading',
      'verifying',
      'downloaded',
      'converting',
      'complete',
    ]);
    expect(of(base?.digest)[1]).toMatchObject({ current: base?.size, total: base?.size });
    registry.push('2', imageOf('b'));
    events.length = 0;
    await pull('team/app:2', { progress: (event) => events.push(event) });
    expect(of(base?.digest).map(({ state }) => state)).toEqual(['planned', 'exists']);
  });

  it('keeps two manifests of one configuration usable', async () => {
    const gzip = imageOf('a');
    const plain = imageOf('a', { compression: 'none' });
    expect(plain.config.digest).toBe(gzip.config.digest);
    const first = registry.push('gzip', gzip);
    const second = registry.push('plain', plain);
    await pull('team/app:gzip');
    await pull('team/app:plain');
    expect(await temporary.store.list()).toHaveLength(1);
    for (const [name, digest] of [
      ['team/app:gzip', first],
      ['team/app:plain', second],
      [`team/app@${first}`, first],
      [`team/app@${second}`, second],
      [first, first],
    ]) {
      const image = await temporary.store.resolve(name ?? '');
      expect(image.manifestDigest).toBe(digest);
      await temporary.store.content(image, async ({ manifest, blobs }) => {
        expect(manifest.digest).toBe(digest);
        for (const { open, size } of blobs) {
          let length = 0;
          for await (const chunk of open(1)) length += chunk.length;
          expect(length).toBe(size - 1);
        }
      });
    }
    await temporary.store.remove(gzip.config.digest, { force: true, inUse: () => false });
    expect(await temporary.remains()).toEqual([]);
  });

  it('refuses to pull a missing image, and suggests to log in', async () => {
    await expect(pull('r.example/app:1')).rejects.toMatchObject({
      code: 'not-in-registry',
      message: expect.stringContaining('r.example has no such image'),
      remedy: expect.stringContaining('a3s-box login r.example'),
    });
    expect(await temporary.remains()).toEqual([]);
  });
});

describe('an index', () => {
  it('pulls the image of this platform from an index, and keeps the index', async () => {
    const mine = imageOf('mine');
    const index = registry.pushIndex('1', [
      { image: imageOf('other', { architecture: 'arm64' }), platform: ARM64 },
      { image: attestation(), platform: { os: 'unknown', architecture: 'unknown' } },
      { image: mine, platform: AMD64 },
    ]);
    const { image, digest } = await pull('team/app:1');
    expect(digest).toBe(index);
    expect(image).toMatchObject({
      id: mine.config.digest,
      manifestDigest: mine.manifest.digest,
      indexDigests: [index],
      repoDigests: [`team/app@${index}`],
    });
    expect(questions[0]).toMatchObject({
      repository: 'docker.io/team/app',
      tag: '1',
      manifestDigest: mine.manifest.digest,
      indexDigests: [index],
    });
    for (const name of [`team/app@${index}`, `team/app@${mine.manifest.digest}`, index]) {
      expect((await temporary.store.resolve(name)).id).toBe(image.id);
    }
    await expect(temporary.store.resolve(`other/app@${index}`)).rejects.toMatchObject({
      code: 'no-such-image',
    });
    await temporary.store.remove('team/app:1', { force: false, inUse: () => false });
    expect(await temporary.remains()).toEqual([]);
  });

  it('refuses an index without an image for this platform, and names its platforms', async () => {
    registry.pushIndex('1', [
      { image: imageOf('a', { architecture: 'arm64' }), platform: { ...ARM64, variant: 'v8' } },
      { image: attestation(), platform: { os: 'unknown', architecture: 'unknown' } },
    ]);
    await expect(pull('team/app:1')).rejects.toMatchObject({
      code: 'not-in-registry',
      message: expect.stringMatching(/no image for linux\/amd64, only for linux\/arm64\/v8$/),
    });
    expect(registry.fetched).toEqual([]);
  });

  it('refuses an index that lists a missing image', async () => {
    const mine = imageOf('mine');
    registry.pushIndex('1', [{ image: mine, platform: AMD64 }]);
    registry.manifests.delete(mine.manifest.digest);
    await expect(pull('team/app:1')).rejects.toMatchObject({
      code: 'not-in-registry',
      message: expect.stringContaining('its index lists'),
    });
  });

  it('refuses an index that gives its image a wrong size', async () => {
    const mine = imageOf('mine');
    const wrong = { ...mine, manifest: { ...mine.manifest, size: mine.manifest.size + 1 } };
    registry.pushIndex('1', [{ image: wrong, platform: AMD64 }]);
    await expect(pull('team/app:1')).rejects.toMatchObject({ code: 'invalid-image' });
  });
});

describe('a registry that lies', () => {
  it.each(['manifest', 'index'])(
    'refuses a %s with another digest than the registry reports',
    async (which) => {
      const mine = imageOf('mine');
      const digest =
        which === 'index'
          ? registry.pushIndex('1', [{ image: mine, platform: AMD64 }])
          : registry.push('1', mine);
      const found = registry.manifests.get(digest) ?? expect.fail();
      registry.manifests.set('1', {
        ...found,
        bytes: Buffer.concat([found.bytes, Buffer.from(' ')]),
      });
      await expect(pull('team/app:1')).rejects.toMatchObject({
        code: 'invalid-image',
        message: expect.stringContaining('other bytes'),
      });
    },
  );

  it('refuses another image in answer to a digest', async () => {
    const digest = registry.push('1', imageOf('a'));
    const other = registry.push('2', imageOf('b'));
    registry.manifests.set(digest, registry.manifests.get(other) ?? expect.fail());
    await expect(pull(`team/app@${digest}`)).rejects.toMatchObject({ code: 'invalid-image' });
  });

  it('refuses a manifest of another type than the registry reports', async () => {
    const digest = registry.push('1', imageOf('a'));
    const found = registry.manifests.get(digest) ?? expect.fail();
    const docker = 'application/vnd.docker.distribution.manifest.v2+json';
    registry.manifests.set('1', { ...found, mediaType: docker });
    await expect(pull('team/app:1')).rejects.toMatchObject({
      message: expect.stringContaining(`it came as ${docker}`),
    });
  });

  it.each([
    ['shorter', (bytes: Buffer) => bytes.subarray(1)],
    ['longer', (bytes: Buffer) => Buffer.concat([bytes, Buffer.from('x')])],
    ['other', (bytes: Buffer) => Buffer.alloc(bytes.length)],
  ])('refuses a %s layer than the manifest lists, and leaves no file', async (_, change) => {
    const image = imageOf('a');
    registry.push('1', image);
    registry.stream = async function* (digest, bytes) {
      yield digest === image.layers[1]?.digest ? change(bytes) : bytes;
    };
    await expect(pull('team/app:1')).rejects.toMatchObject({
      code: expect.stringMatching(/^(invalid-image|too-large)$/),
    });
    expect(await temporary.remains()).toEqual([]);
  });
});

describe('an image', () => {
  it.each([
    [
      'of schema 1',
      'application/vnd.docker.distribution.manifest.v1+prettyjws',
      /schema 1, which is not supported/,
    ],
    ['of no known type', 'application/vnd.cncf.helm.chart.v1', /it is no image/],
  ])('refuses an image %s by name', async (_, mediaType, message) => {
    registry.addManifest(Buffer.from('{}'), mediaType, '1');
    await expect(pull('team/app:1')).rejects.toThrow(message);
  });

  it.each<[string, (layer: Record<string, unknown>) => void, RegExp]>([
    [
      'a foreign layer',
      (layer) => {
        layer['mediaType'] = 'application/vnd.docker.image.rootfs.foreign.diff.tar.gzip';
      },
      /is a foreign layer/,
    ],
    [
      'a layer that must not be distributed',
      (layer) => {
        layer['mediaType'] = 'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip';
      },
      /is a foreign layer/,
    ],
    [
      'a layer behind a URL',
      (layer) => {
        layer['urls'] = ['https://elsewhere.example/layer'];
      },
      /is to be fetched from a URL/,
    ],
  ])('refuses an image with %s before anything else is fetched', async (_, change, message) => {
    const image = withManifest((manifest) => {
      const layers = manifest['layers'];
      if (Array.isArray(layers)) change(layers[0]);
    });
    registry.push('1', image);
    await expect(pull('team/app:1')).rejects.toThrow(message);
    expect(registry.fetched).toEqual([]);
  });

  it('refuses an image for another platform by its configuration, before a layer is fetched', async () => {
    const image = imageOf('a', { architecture: 'arm64' });
    registry.push('1', image);
    await expect(pull('team/app:1')).rejects.toThrow(
      /it is for linux\/arm64, and not for linux\/amd64/,
    );
    expect(registry.fetched).toEqual([image.config.digest]);
    expect(await temporary.remains()).toEqual([]);
  });

  it('pulls an image for arm64 where that platform is asked for, and no other', async () => {
    const image = imageOf('a', { architecture: 'arm64' });
    registry.push('1', image);
    const { image: pulled } = await pull('team/app:1', { platform: 'linux/arm64' });
    expect(pulled).toMatchObject({ architecture: 'arm64' });
    registry.push('2', imageOf('b'));
    await expect(pull('team/app:2', { platform: 'linux/arm64' })).rejects.toThrow(
      /it is for linux\/amd64, and not for linux\/arm64/,
    );
  });

  it('refuses a platform that boxes on this host cannot have without asking the registry', async () => {
    await expect(pull('team/app:1', { platform: 'linux/386' })).rejects.toMatchObject({
      code: 'invalid-argument',
      message: 'Cannot pull for linux/386: boxes on this host are linux/amd64',
    });
    expect(registry.asked).toEqual([]);
  });

  it('refuses a document that is both a manifest and an index', async () => {
    const both = withManifest((manifest) => {
      delete manifest['mediaType'];
      manifest['manifests'] = [];
    });
    registry.push('1', both);
    await expect(pull('team/app:1')).rejects.toThrow(/both layers and manifests/);
  });
});
