import { randomBytes } from 'node:crypto';
import { linkSync, lstatSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FakeRegistry } from '../../distribution/testing/fake-registry.ts';
import { A3sError } from '../../errors.ts';
import { buildImage } from '../../images/testing/build-image.ts';
import { type TemporaryStore, temporaryStore } from '../../images/testing/temporary-store.ts';
import { TestHome } from '../../server/testing/home.ts';
import { allow, deny } from '../../server/testing/signed-images.ts';
import { ImageService } from '../grpc/library.ts';
import { CriClient } from '../testing/cri-client.ts';

const { listImages, streamImages, imageStatus, pullImage, removeImage, imageFsInfo } =
  ImageService.method;

const UNKNOWN = 2;
const INVALID = 3;
const NOT_FOUND = 5;
const FAILED_PRECONDITION = 9;

let temporary: TemporaryStore;
let home: TestHome;
let registry: FakeRegistry;
let client: CriClient;
let directory: string;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-cri-'));
  temporary = await temporaryStore();
  home = new TestHome(temporary.store);
  home.registry = registry = new FakeRegistry();
  home.cri = join(directory, 'cri.sock');
  home.trust.rules = [deny('docker.io/evil/**'), allow('**')];
  await home.start();
  // Where a server has its store.
  rmSync(join(home.config.home, 'images'), { recursive: true, force: true });
  symlinkSync(join(temporary.root, 'images'), join(home.config.home, 'images'));
  client = new CriClient(home.cri);
});
beforeEach(async () => {
  registry.manifests.clear();
  registry.opened.length = 0;
  registry.before = () => undefined;
  for (const { id } of await temporary.store.list()) {
    await temporary.store.remove(id, { force: true, inUse: () => false });
  }
});
afterAll(async () => {
  client?.close();
  await home?.remove();
  temporary?.remove();
  rmSync(directory, { recursive: true, force: true });
});

function push(tag: string, text: string, config: object = {}) {
  const built = buildImage({ layers: [[{ path: 'file', data: text }]], config });
  return { id: built.config.digest, digest: registry.push(tag, built) };
}

const pull = async (image: string, auth = {}) =>
  (await client.call(pullImage, { image: { image }, auth })).imageRef;
const named = (image: string) => ({ image: { image } });
const idsOf = async (image = '') =>
  (await client.call(listImages, { filter: named(image) })).images.map(({ id }) => id);

describe('PullImage', () => {
  it('answers with the image’s id, and takes latest where the name has no tag', async () => {
    const { id, digest } = push('latest', 'a', { User: '1000:20' });
    expect(await pull('team/app')).toBe(id);
    const { image } = await client.call(imageStatus, named('team/app:latest'));
    expect(image).toMatchObject({
      id,
      repoTags: ['docker.io/team/app:latest'],
      repoDigests: [`docker.io/team/app@${digest}`],
      uid: { value: 1000n },
      username: '',
      pinned: false,
    });
    expect(image?.size).toBeGreaterThan(0n);
  });

  it('pulls by digest, which gives the image no tag', async () => {
    const { id, digest } = push('1', 'a', { User: 'web:staff' });
    registry.manifests.delete('1');
    expect(await pull(`registry.example/app@${digest}`)).toBe(id);
    const { image } = await client.call(imageStatus, named(`registry.example/app@${digest}`));
    expect(image).toMatchObject({ id, repoTags: [], username: 'web' });
    expect(image?.uid).toBeUndefined();
  });

  it('answers with one id for an image that is in several registries', async () => {
    const { id, digest } = push('1', 'a');
    const names = ['first.example/app:1', 'second.example:5000/team/app:1'];
    expect([await pull(names[0] ?? ''), await pull(names[1] ?? '')]).toEqual([id, id]);
    for (const name of names) {
      const { image } = await client.call(imageStatus, named(name));
      expect(image).toMatchObject({ id, repoTags: names });
      expect(image?.repoDigests).toEqual(
        names.map((each) => `${each.slice(0, -':1'.length)}@${digest}`),
      );
    }
    expect(await idsOf()).toEqual([id]);
  });

  it('sends credentials in each of the forms that kubelet has them, to their registry alone', async () => {
    push('1', 'a');
    const sent = async (auth: object) => {
      registry.opened.length = 0;
      await pull('registry.example:5000/app:1', auth);
      return registry.opened[0]?.credentials;
    };
    const base64 = (text: string) => Buffer.from(text).toString('base64');
    expect(await sent({ username: 'ci', password: 'p' })).toEqual({
      ...{ username: 'ci', password: 'p' },
    });
    expect(await sent({ identityToken: 't' })).toEqual({ identityToken: 't' });
    expect(await sent({ registryToken: 'b' })).toEqual({ registryToken: 'b' });
    expect(await sent({ auth: base64('ci:a:b\0\0') })).toEqual({ username: 'ci', password: 'a:b' });
    expect(await sent({})).toBeUndefined();
    const own = {
      username: 'ci',
      password: 'p',
      serverAddress: 'https://registry.example:5000/v1/',
    };
    expect(await sent(own)).toEqual({ username: 'ci', password: 'p' });
    expect(await sent({ ...own, serverAddress: 'other.example' })).toBeUndefined();
    const malformed = pull('registry.example:5000/app:1', { auth: base64('nobody') });
    await expect(malformed).rejects.toMatchObject({
      code: INVALID,
      details: expect.stringContaining('auth is not USER:PASSWORD'),
    });
  });

  it('refuses an image that the policy refuses, in the words by which kubelet knows it', async () => {
    push('1', 'a');
    await expect(pull('evil/app:1')).rejects.toMatchObject({
      code: UNKNOWN,
      details: expect.stringMatching(/^SignatureValidationFailed: .*\(image-untrusted\)$/s),
    });
    expect(await idsOf()).toEqual([]);
  });

  it('tells a registry that is away from an image that is not there', async () => {
    await expect(pull('team/none:1')).rejects.toMatchObject({ code: NOT_FOUND });
    registry.before = () => {
      throw new A3sError('registry-unreachable', 'Cannot reach registry.example');
    };
    await expect(pull('team/app:1')).rejects.toMatchObject({
      code: UNKNOWN,
      details: expect.stringMatching(/^RegistryUnavailable: Cannot reach registry\.example/),
    });
  });

  it('ends a pull that its client has given up', async () => {
    push('1', 'a');
    const left = new AbortController();
    registry.before = () => left.abort();
    const given = client.call(pullImage, named('team/app:1'), { signal: left.signal });
    await expect(given).rejects.toMatchObject({ code: 1 });
    await expect.poll(() => registry.opened[0]?.signal?.aborted).toBe(true);
  });

  it('refuses names that are none, and handlers that are none', async () => {
    await expect(pull('')).rejects.toMatchObject({ code: INVALID });
    await expect(pull('Team/App:1')).rejects.toMatchObject({ code: INVALID });
    const other = { image: 'team/app:1', runtimeHandler: 'runc' };
    await expect(client.call(pullImage, { image: other })).rejects.toMatchObject({
      code: INVALID,
      details: expect.stringContaining('runtime_handler'),
    });
    const { id } = push('1', 'a');
    for (const runtimeHandler of ['a3s', 'a3s-snp']) {
      const image = { image: 'team/app:1', runtimeHandler };
      expect((await client.call(pullImage, { image })).imageRef).toBe(id);
    }
  });
});

describe('ListImages, StreamImages and ImageStatus', () => {
  it('name an image by all of its names, its digest and its id', async () => {
    const { id, digest } = push('1', 'a');
    push('2', 'b');
    await pull('team/app:1');
    const second = await pull('team/app:2');
    expect((await idsOf()).toSorted()).toEqual([id, second].toSorted());
    for (const name of ['team/app:1', `team/app@${digest}`, id, id.slice(7), id.slice(7, 20)]) {
      expect(await idsOf(name)).toEqual([id]);
      expect((await client.call(imageStatus, named(name))).image?.id).toBe(id);
    }
    expect(await idsOf('team/none:1')).toEqual([]);
    const streamed = await client.stream(streamImages, {});
    expect(streamed.flatMap(({ images }) => images.map((each) => each.id))).toHaveLength(2);
  });

  it('answer without an image where there is none, and tell people more where asked to', async () => {
    expect((await client.call(imageStatus, named('team/none:1'))).image).toBeUndefined();
    const { digest } = push('1', 'a', { Env: ['A=b'] });
    await pull('team/app:1');
    const { info } = await client.call(imageStatus, { ...named('team/app:1'), verbose: true });
    expect(JSON.parse(info['info'] ?? '')).toMatchObject({
      manifestDigest: digest,
      origins: [{ kind: 'pull', reference: 'team/app:1' }],
      imageSpec: { os: 'linux', config: { env: ['A=b'] } },
    });
    expect((await client.call(imageStatus, named('team/app:1'))).info).toEqual({});
    await expect(client.call(imageStatus, {})).rejects.toMatchObject({ code: INVALID });
  });
});

describe('RemoveImage', () => {
  it('succeeds for all calls that remove an image at once, after each of which it is gone', async () => {
    const { id } = push('1', 'a');
    await pull('team/app:1');
    const removed = Array.from({ length: 5 }, async () => {
      await client.call(removeImage, named(id));
      return (await client.call(imageStatus, named(id))).image;
    });
    expect(await Promise.all(removed)).toEqual(Array.from({ length: 5 }, () => undefined));
    expect(await idsOf()).toEqual([]);
  });

  it('removes an image with all of its names, and one that is gone as well', async () => {
    push('1', 'a');
    await pull('team/app:1');
    await temporary.store.tag('team/app:1', 'other.example/app:latest');
    await client.call(removeImage, named('team/app:1'));
    expect(await idsOf()).toEqual([]);
    await client.call(removeImage, named('team/app:1'));
    await client.call(removeImage, named(`sha256:${'a'.repeat(64)}`));
  });

  it('keeps an image that a box holds, and pins it', async () => {
    push('latest', 'a');
    await pull('busybox');
    const box = await home.create(['true']);
    const [image] = (await client.call(listImages, {})).images;
    expect(image?.pinned).toBe(true);
    await expect(client.call(removeImage, named('busybox'))).rejects.toMatchObject({
      code: FAILED_PRECONDITION,
      details: expect.stringContaining('(image-in-use)'),
    });
    await home.call('DELETE', `/containers/${box}`);
    expect((await client.call(listImages, {})).images[0]?.pinned).toBe(false);
    await client.call(removeImage, named('busybox'));
  });
});

it('ImageFsInfo grows with a pull, and shrinks when the image is removed', async () => {
  const used = async () => {
    const [images] = (await client.call(imageFsInfo, {})).imageFilesystems;
    return [images?.usedBytes?.value ?? 0n, images?.inodesUsed?.value ?? 0n] as const;
  };
  const before = await used();
  // Blob and disk both have its bytes, which cannot be compressed.
  push('large', randomBytes(1024 * 1024).toString('latin1'));
  await pull('team/app:large');
  const pulled = await used();
  expect(pulled[0] - before[0]).toBeGreaterThan(2n * 1024n * 1024n);
  expect(pulled[1]).toBeGreaterThan(before[1]);
  await client.call(removeImage, named('team/app:large'));
  expect(await used()).toEqual(before);
});

it('ImageFsInfo counts what images take, at a path of their file system', async () => {
  const images = join(home.config.home, 'images/blobs');
  const read = async () => {
    const { imageFilesystems, containerFilesystems } = await client.call(imageFsInfo, {});
    expect(imageFilesystems[0]?.fsId?.mountpoint).toBe(home.config.home);
    expect(containerFilesystems[0]?.fsId?.mountpoint).toBe(home.config.home);
    return imageFilesystems[0];
  };
  // How many blocks a file takes depends on the file system.
  const allocated = (path: string) => BigInt(lstatSync(path).blocks) * 512n;
  const before = await read();
  const directory = allocated(images);
  writeFileSync(join(images, 'a'), Buffer.alloc(1024 * 1024, 'x'), { flush: true });
  linkSync(join(images, 'a'), join(images, 'again'));
  const after = await read();
  expect((after?.inodesUsed?.value ?? 0n) - (before?.inodesUsed?.value ?? 0n)).toBe(1n);
  const more = (after?.usedBytes?.value ?? 0n) - (before?.usedBytes?.value ?? 0n);
  expect(more).toBe(allocated(join(images, 'a')) + allocated(images) - directory);
  expect(after?.timestamp).toBeGreaterThanOrEqual(before?.timestamp ?? 0n);
});
