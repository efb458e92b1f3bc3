import { request } from 'node:http';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { FakeRegistry } from '../../../distribution/testing/fake-registry.ts';
import { type BuiltImage, buildImage } from '../../../images/testing/build-image.ts';
import { type TemporaryStore, temporaryStore } from '../../../images/testing/temporary-store.ts';
import { type DockerResult, docker } from '../../testing/docker.ts';
import { TestHome } from '../../testing/home.ts';
import { allow, deny } from '../../testing/signed-images.ts';

let temporary: TemporaryStore;
let home: TestHome;
let registry: FakeRegistry;
beforeAll(async () => {
  temporary = await temporaryStore();
  home = new TestHome(temporary.store);
  // All tests share one registry, which the server has from its start.
  home.registry = registry = new FakeRegistry();
  await home.start();
});
beforeEach(() => {
  registry.manifests.clear();
  registry.blobs.clear();
  registry.asked.length = 0;
  registry.opened.length = 0;
  registry.before = () => undefined;
  home.trust.rules = [deny('docker.io/evil/**'), allow('**')];
});
afterAll(async () => {
  await home?.remove();
  temporary?.remove();
});

const imageOf = (...names: string[]): BuiltImage =>
  buildImage({ layers: names.map((name) => [{ path: name, data: name }]) });
const short = (digest: string | undefined) => (digest ?? '').slice(7, 19);
const cli = (...args: readonly string[]): Promise<DockerResult> => docker(home.config.socket, args);

async function create(query: Record<string, string>): Promise<Record<string, unknown>[]> {
  const { status, body } = await home.call('POST', `/images/create?${new URLSearchParams(query)}`);
  expect(status).toBe(200);
  if (typeof body !== 'string') return [body as Record<string, unknown>];
  return body
    .trim()
    .split('\r\n')
    .map((line) => JSON.parse(line));
}

describe('POST /images/create', () => {
  it('refuses the name that a Dockerfile begins with, as Docker does, and asks no registry', async () => {
    for (const query of ['fromImage=scratch', 'fromImage=docker.io/library/scratch&tag=1']) {
      expect(await home.call('POST', `/images/create?${query}`)).toMatchObject({
        status: 403,
        body: { message: expect.stringMatching(/^'scratch' is a reserved name/) },
      });
    }
    expect(registry.asked).toEqual([]);
  });

  it('reports each layer, the digest and the trust decision of a pull', async () => {
    const image = imageOf('a');
    const digest = registry.push('1', image);
    const lines = await create({ fromImage: 'team/app', tag: '1' });
    const id = short(image.layers[0]?.digest);
    const total = image.layers[0]?.size;
    expect(
      lines.filter(({ aux, status }) => aux === undefined && status !== 'Downloading'),
    ).toEqual([
      { status: 'Pulling from team/app', id: '1' },
      { status: 'Pulling fs layer', progressDetail: {}, id },
      { status: 'Verifying Checksum', progressDetail: {}, id },
      { status: 'Download complete', progressDetail: {}, id },
      { status: 'Extracting', progressDetail: {}, id },
      { status: 'Pull complete', progressDetail: {}, id },
      { status: `Digest: ${digest}` },
      { status: expect.stringMatching(/^Trust: ./) },
      { status: 'Status: Downloaded newer image for team/app:1' },
    ]);
    expect(lines).toContainEqual({
      status: 'Downloading',
      progressDetail: { current: total, total },
      id,
    });
    expect(lines.at(-1)).toMatchObject({
      aux: { ID: image.config.digest, Digest: digest, Trust: { verdict: 'unsigned' } },
    });
    const again = await create({ fromImage: 'team/app:1' });
    expect(again.map(({ status }) => status)).toEqual([
      'Pulling from team/app',
      `Digest: ${digest}`,
      expect.stringMatching(/^Trust: /),
      'Status: Image is up to date for team/app:1',
      undefined,
    ]);
  });

  it('accepts a digest as the tag, and pulls latest without a tag', async () => {
    const digest = registry.push('latest', imageOf('b'));
    await create({ fromImage: 'team/app', tag: digest });
    expect(registry.asked[0]).toBe(`manifest ${digest}`);
    registry.asked.length = 0;
    await create({ fromImage: 'team/app' });
    expect(registry.asked[0]).toBe('manifest latest');
  });

  it('passes registry credentials to the registry alone', async () => {
    registry.push('1', imageOf('c'));
    const auth = Buffer.from(JSON.stringify({ username: 'ci', password: 'open sesame' }));
    await fetchWith('/images/create?fromImage=team/app&tag=1', {
      'x-registry-auth': auth.toString('base64url'),
    });
    expect(registry.opened[0]).toMatchObject({
      access: 'pull',
      credentials: { username: 'ci', password: 'open sesame' },
    });
  });

  it('refuses an untrusted image before it fetches a layer', async () => {
    registry.push('1', imageOf('d'));
    const lines = await create({ fromImage: 'evil/app', tag: '1' });
    expect(lines.at(-1)).toMatchObject({
      code: 'image-untrusted',
      error: expect.any(String),
      errorDetail: { message: expect.any(String) },
    });
    expect(registry.fetched).toEqual([]);
  });

  it('refuses to pull with an invalid name, platform or policy', async () => {
    const bad = await home.call('POST', '/images/create?fromImage=Team/App');
    expect(bad).toMatchObject({ status: 400, body: { code: 'invalid-reference' } });
    const refused = (query: string) => home.call('POST', `/images/create?fromImage=app&${query}`);
    expect(await refused('tag=1&platform=windows/amd64')).toMatchObject({
      ...{ status: 400, body: { code: 'invalid-argument' } },
    });
    expect(await refused(`imagePolicy=sha256:${'0'.repeat(64)}`)).toMatchObject({
      ...{ status: 404, body: { code: 'no-such-policy' } },
    });
    expect(registry.asked).toEqual([]);
  });
});

describe('docker pull', () => {
  it('docker pull prints the progress, the digest and the status', async () => {
    const image = imageOf('e', 'f');
    const digest = registry.push('2', image);
    const { code, stdout, stderr } = await cli('pull', 'team/app:2');
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^2: Pulling from team\/app\n/);
    for (const { digest } of image.layers) {
      expect(stdout).toContain(`${short(digest)}: Pull complete`);
    }
    expect(stdout).toContain(`Digest: ${digest}\nTrust: `);
    expect(stdout).toMatch(/Status: Downloaded newer image for team\/app:2\n/);
    const list = await cli('images', '--digests', '--format={{.Repository}}:{{.Tag}} {{.Digest}}');
    expect(list.stdout).toContain(`team/app:2 ${digest}`);
  });

  it('docker pull fails with the reason', async () => {
    const { code, stderr } = await cli('pull', 'team/nothing:1');
    expect(code).toBe(1);
    // A failure before any progress is an HTTP error status, as with Docker.
    expect(stderr).toMatch(/^Error response from daemon: .*has no such image/);
  });
});

describe('a client that goes away', () => {
  it('ends a pull without a rest when its client goes away', async () => {
    const image = imageOf('g', 'h');
    registry.push('1', image);
    let started: () => void = () => undefined;
    const downloading = new Promise<void>((resolve) => {
      started = resolve;
    });
    registry.before = async (what) => {
      if (what !== `blob ${image.layers[0]?.digest}`) return;
      started();
      await new Promise(() => undefined);
    };
    const disconnected = new AbortController();
    const request = fetchWith('/images/create?fromImage=gone/app&tag=1', {}, disconnected.signal);
    await downloading;
    disconnected.abort();
    await expect(request).rejects.toThrow();
    registry.before = () => undefined;
    // A second pull of the same layer does not wait for the first one.
    const lines = await create({ fromImage: 'here/app', tag: '1' });
    expect(lines.at(-1)).toMatchObject({ aux: { ID: image.config.digest } });
    expect((await temporary.store.resolve('here/app:1')).tags).toEqual(['here/app:1']);
  });
});

function fetchWith(
  path: string,
  headers: Record<string, string>,
  signal?: AbortSignal,
): Promise<string> {
  return new Promise((resolve, reject) => {
    const { socket } = home.config;
    const options = { socketPath: socket, method: 'POST', path, headers, agent: false as const };
    const sent = request(
      { ...options, ...(signal === undefined ? {} : { signal }) },
      (response) => {
        const chunks: Buffer[] = [];
        response.on('data', (chunk: Buffer) => chunks.push(chunk));
        response.on('error', reject);
        response.on('end', () => resolve(String(Buffer.concat(chunks))));
      },
    );
    sent.on('error', reject);
    sent.end();
  });
}
