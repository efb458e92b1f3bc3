import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { type BuiltImage, buildImage, ociArchive } from '../images/testing/build-image.ts';
import { type TemporaryStore, temporaryStore } from '../images/testing/temporary-store.ts';
import { type Digest, isDigest } from '../oci/digest.ts';
import { parseReference } from '../oci/reference.ts';
import { openRegistry } from '../registry/open-registry.ts';
import type { Registry } from '../registry/registry.ts';
import { startFaultRegistry } from '../registry/testing/fault-registry.ts';
import { type StartedRegistry, startRegistry } from '../registry/testing/start-registry.ts';
import { pushAttachment } from './attach.ts';
import { describeRemote } from './describe.ts';
import { fetchAttachments } from './fetch-attachments.ts';
import { pullImage } from './pull.ts';
import { type PushEvent, type PushRequest, pushImage } from './push.ts';
import { decisionOf } from './testing/decisions.ts';

const run = promisify(execFile);
const AMD64 = { os: 'linux', architecture: 'amd64' };
const OCI = 'application/vnd.oci.image.manifest.v1+json';
const INDEX = 'application/vnd.oci.image.index.v1+json';
const SIMPLE_SIGNING = 'application/vnd.dev.cosign.simplesigning.v1+json';
const BUNDLE = 'application/vnd.dev.sigstore.bundle.v0.3+json';

let started: StartedRegistry;
beforeAll(async () => {
  started = await startRegistry();
});
afterAll(() => started?.stop());

let temporary: TemporaryStore;
let registry: Registry;
let events: PushEvent[];
beforeEach(async () => {
  temporary = await temporaryStore(undefined, AMD64);
  registry = openRegistry({ certsDirectories: [], registriesFiles: [] });
  events = [];
});
afterEach(async () => {
  await registry.close();
  temporary.remove();
});

const base = [{ path: 'base', data: randomBytes(300_000) }];
const imageOf = (name: string, text: string): BuiltImage =>
  buildImage({
    name: `${started.host}/${name}`,
    layers: [base, [{ path: 'file', data: text }]],
    architecture: 'amd64',
  });

async function load(...images: readonly BuiltImage[]): Promise<void> {
  async function* archive() {
    yield ociArchive(images);
  }
  await temporary.store.load(archive());
}

const reference = (name: string) => parseReference(`${started.host}/${name}`);
const push = (name: string, options: Partial<PushRequest> = {}) =>
  pushImage(
    { registry, images: temporary.store },
    {
      reference: reference(name),
      progress: (event) => {
        // Ignores intermediate progress, whose number depends on the registry.
        if (event.state !== 'pushing' || event.current === event.total) events.push(event);
      },
      ...options,
    },
  );
const pull = (name: string) =>
  pullImage(
    {
      registry,
      images: temporary.store,
      platform: AMD64,
      decide: async (question) => decisionOf(question),
    },
    { reference: reference(name) },
  );
const open = (path: string) => registry.repository(`${started.host}/${path}`, { access: 'push' });
const of = (digest: string | undefined) =>
  events.filter((event) => 'layer' in event && event.layer === digest).map(({ state }) => state);
const required = (digest: string): Digest => {
  if (!isDigest(digest)) throw new TypeError(digest);
  return digest;
};

describe('push', () => {
  it('pushes an image byte by byte', async () => {
    const built = imageOf('push/app:1', 'a');
    await load(built);
    const result = await push('push/app:1');
    expect(result).toEqual({ tag: '1', digest: built.manifest.digest, size: built.manifest.size });
    const remote = await open('push/app').manifest('1');
    expect(remote?.bytes).toEqual(built.blobs.get(built.manifest.digest));
    for (const { digest } of built.layers) {
      expect(of(digest)).toEqual(['preparing', 'pushing', 'pushed']);
    }
    await temporary.store.remove(`${started.host}/push/app:1`, { force: true, inUse: () => false });
    expect((await pull('push/app:1')).image.id).toBe(built.config.digest);
  });

  it('leaves an index at its tag that the image came through, and replaces any other', async () => {
    const built = imageOf('push/many:amd64', 'a');
    await load(built);
    await push('push/many:amd64');
    const manifests = [{ ...built.manifest, platform: AMD64 }];
    const indexOf = (annotations: object): Buffer =>
      Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType: INDEX, manifests, annotations }));
    const repository = open('push/many');
    const index = indexOf({});
    const digest = await repository.putManifest('1', INDEX, index);
    await pull('push/many:1');
    expect(await push('push/many:1')).toEqual({ tag: '1', digest, size: index.length });
    expect((await repository.describe('1'))?.digest).toBe(digest);
    await repository.putManifest('1', INDEX, indexOf({ of: 'another image' }));
    expect((await push('push/many:1')).digest).toBe(built.manifest.digest);
    expect((await repository.describe('1'))?.digest).toBe(built.manifest.digest);
  });

  it('records the digest of a pushed image in its repository until its name there is removed', async () => {
    const built = imageOf('push/known:1', 'a');
    await load(built);
    const { store } = temporary;
    await store.tag(`${started.host}/push/known:1`, `${started.host}/push/elsewhere:1`);
    expect((await store.resolve(built.config.digest)).repoDigests).toEqual([]);
    await push('push/known:1');
    await push('push/known:1');
    const pushed = `${started.host}/push/known@${built.manifest.digest}`;
    expect((await store.resolve(pushed)).repoDigests).toEqual([pushed]);
    const removal = { force: false, inUse: () => false };
    const { untagged, deleted } = await store.remove(`${started.host}/push/known:1`, removal);
    expect(untagged).toEqual([`${started.host}/push/known:1`, pushed]);
    expect(deleted).toEqual([]);
  });

  it('completes a push of an image that is removed meanwhile', async () => {
    await load(imageOf('push/removed:1', 'a'));
    const { store } = temporary;
    const name = `${started.host}/push/removed:1`;
    await push('push/removed:1', {
      progress: () =>
        store.remove(name, { force: true, inUse: () => false }).catch(() => undefined),
    });
    expect(await store.list()).toEqual([]);
    expect(await open('push/removed').manifest('1')).toBeDefined();
  });

  it('pushes no layer that the registry has', async () => {
    const built = imageOf('push/twice:1', 'a');
    await load(built);
    await push('push/twice:1');
    events.length = 0;
    await push('push/twice:1');
    for (const { digest } of built.layers) expect(of(digest)).toEqual(['preparing', 'exists']);
  });

  it('mounts layers from the repositories that the image or an image with the same layers came from', async () => {
    await load(imageOf('push/base:1', 'base'));
    await push('push/base:1');
    await pull('push/base:1');
    const derived = imageOf('push/derived:1', 'derived');
    await load(derived);
    events.length = 0;
    await push('push/derived:1');
    expect(events).toContainEqual({
      state: 'mounted',
      layer: derived.layers[0]?.digest,
      from: `${started.host}/push/base`,
    });
    expect(of(derived.layers[1]?.digest)).toEqual(['preparing', 'pushing', 'pushed']);
  });

  it('pushes at most three layers at once, and reports which wait', async () => {
    const layers = ['a', 'b', 'c', 'd', 'e'].map((data) => [{ path: data, data }]);
    const name = `${started.host}/push/many:1`;
    const built = buildImage({ name, layers, architecture: 'amd64' });
    await load(built);
    await push('push/many:1');
    const states = events.map(({ state }) => state);
    expect(states.slice(0, 7)).toEqual([
      ...Array(5).fill('preparing'),
      ...Array(2).fill('waiting'),
    ]);
    expect(states.filter((state) => state === 'pushed')).toHaveLength(5);
  });

  it('refuses to push a missing image or a digest without asking the registry', async () => {
    await expect(push('push/none:1')).rejects.toMatchObject({ code: 'no-such-image' });
    const digest = `sha256:${'1'.repeat(64)}`;
    await expect(push(`push/app@${digest}`)).rejects.toMatchObject({
      code: 'invalid-argument',
      message: expect.stringContaining('what is pushed is a tag'),
    });
  });

  it('pushes neither the tag nor waiting layers after one layer fails', async () => {
    const tagged: string[] = [];
    const faulty = await startFaultRegistry(async (request, response) => {
      if (request.url.includes('/manifests/')) tagged.push(request.url);
      if (request.method === 'HEAD') response.writeHead(404).end();
      else response.writeHead(403).end();
    });
    const built = buildImage({
      name: `${faulty.host}/app:1`,
      layers: [base, ...['a', 'b', 'c', 'd'].map((data) => [{ path: data, data }])],
      architecture: 'amd64',
    });
    await load(built);
    const failing = push('app:1', { reference: parseReference(`${faulty.host}/app:1`) });
    await expect(failing).rejects.toMatchObject({ code: 'registry-denied' });
    expect(tagged).toEqual([]);
    const heads = faulty.requests.filter(({ method }) => method === 'HEAD');
    expect(heads.length).toBeLessThanOrEqual(3);
    await faulty.stop();
  });
});

describe('push of signatures', () => {
  const sign = async (path: string, subject: Digest, text: string) => {
    const layer = {
      mediaType: SIMPLE_SIGNING,
      annotations: { 'dev.cosignproject.cosign/signature': text },
      data: Buffer.from(text),
    };
    await pushAttachment(open(path), { subject, kind: 'signature', layers: [layer] });
  };
  const refer = async (path: string, subject: Digest, text: string) => {
    const repository = open(path);
    const put = async (bytes: Buffer) => {
      const digest = required(buildDigest(bytes));
      const descriptor = { digest, size: bytes.length };
      await repository.putBlob(descriptor, async function* () {
        yield bytes;
      });
      return descriptor;
    };
    const manifest = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: OCI,
        artifactType: BUNDLE,
        config: {
          mediaType: 'application/vnd.oci.empty.v1+json',
          ...(await put(Buffer.from('{}'))),
        },
        layers: [{ mediaType: BUNDLE, ...(await put(Buffer.from(text))) }],
        subject: { mediaType: OCI, digest: subject, size: 1 },
      }),
    );
    return await repository.putManifest(buildDigest(manifest), OCI, manifest);
  };
  const buildDigest = (bytes: Buffer): string =>
    buildImage({ layers: [bytes], compression: 'none' }).layers[0]?.digest ?? '';

  it('pushes signatures when asked to, and keeps the existing ones', async () => {
    const built = imageOf('sign/app:1', 'a');
    const subject = required(built.manifest.digest);
    await load(built);
    await push('sign/app:1');
    await sign('sign/app', subject, 'first');
    await sign('sign/app', subject, 'second');
    const bundle = await refer('sign/app', subject, 'bundle');
    await pull('sign/app:1');
    await temporary.store.tag(`${started.host}/sign/app:1`, `${started.host}/sign/copy:1`);

    await push('sign/copy:1');
    expect(await fetchAttachments(open('sign/copy'), [subject])).toEqual([]);

    await sign('sign/copy', subject, 'theirs');
    events.length = 0;
    await push('sign/copy:1', { signatures: true });
    const found = await fetchAttachments(open('sign/copy'), [subject]);
    const texts = found.map(({ blobs }) => [...blobs.values()].map(String));
    expect(texts).toEqual([['theirs', 'first', 'second'], ['bundle']]);
    expect(found[1]?.digest).toBe(bundle);
    expect(events.filter(({ state }) => state === 'signature-pushed')).toHaveLength(2);
  });

  it.each(['legacy', 'oci-1-1'])(
    'pushes signatures of cosign, stored in %s mode, so that cosign finds them',
    async (mode) => {
      const cosign = async (...args: readonly string[]) =>
        await run('cosign', args, {
          cwd: temporary.root,
          env: {
            ...process.env,
            HOME: temporary.root,
            COSIGN_PASSWORD: '',
            COSIGN_EXPERIMENTAL: '1',
          },
        });
      const built = imageOf(`cosign/${mode}:1`, mode);
      await load(built);
      const { digest } = await push(`cosign/${mode}:1`);
      await cosign('generate-key-pair');
      const sign = ['sign', '--key', 'cosign.key', '--tlog-upload=false', '--yes'];
      const referrers = `--registry-referrers-mode=${mode}`;
      await cosign(...sign, referrers, `${started.host}/cosign/${mode}@${digest}`);
      await pull(`cosign/${mode}:1`);
      const copy = `${started.host}/cosign/copy-of-${mode}`;
      await temporary.store.tag(`${started.host}/cosign/${mode}:1`, `${copy}:1`);
      await push(`cosign/copy-of-${mode}:1`, { signatures: true });
      const verify = ['verify', '--key', 'cosign.pub', '--insecure-ignore-tlog'];
      const experimental = mode === 'legacy' ? [] : ['--experimental-oci11'];
      const { stdout } = await cosign(...verify, ...experimental, `${copy}:1`);
      expect(stdout).toContain(digest);
    },
  );

  it('omits the signatures of the index from a push, and reports that', async () => {
    const built = imageOf('sign/index:amd64', 'indexed');
    await load(built);
    await push('sign/index:amd64');
    const index = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: INDEX,
        manifests: [{ ...built.manifest, platform: AMD64 }],
      }),
    );
    const repository = open('sign/index');
    const digest = await repository.putManifest('all', INDEX, index);
    await sign('sign/index', digest, 'all of it');
    await pull('sign/index:all');
    await temporary.store.tag(`${started.host}/sign/index:all`, `${started.host}/sign/one:1`);
    await push('sign/one:1', { signatures: true });
    expect(events).toContainEqual(
      expect.objectContaining({
        state: 'signature-left-out',
        reason: `it is of the index ${digest}, which is not pushed`,
      }),
    );
    expect(await fetchAttachments(open('sign/one'), [digest])).toEqual([]);

    expect(await describeRemote(repository, reference('sign/index:all'))).toEqual({
      mediaType: INDEX,
      digest,
      size: index.length,
      platforms: [AMD64],
    });
    expect(await describeRemote(repository, reference('sign/index:amd64'))).toMatchObject({
      mediaType: OCI,
      digest: built.manifest.digest,
      platforms: [AMD64],
    });
    await expect(describeRemote(repository, reference('sign/index:none'))).rejects.toMatchObject({
      code: 'not-in-registry',
    });
  });
});
