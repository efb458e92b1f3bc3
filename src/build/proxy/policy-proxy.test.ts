import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect, createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import { connect as connectTls } from 'node:tls';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { FakeRegistry } from '../../distribution/testing/fake-registry.ts';
import { A3sError } from '../../errors.ts';
import type { StoredDocument } from '../../images/image.ts';
import { buildImage } from '../../images/testing/build-image.ts';
import { MemorySource } from '../../images/testing/memory-source.ts';
import { temporaryStore } from '../../images/testing/temporary-store.ts';
import { digestOf } from '../../oci/digest.ts';
import { OCI_INDEX, OCI_LAYER, OCI_MANIFEST } from '../../oci/media-types.ts';
import { hostPlatform, type Platform } from '../../oci/platform.ts';
import type { Credentials } from '../../registry/registry.ts';
import { testAuthority } from '../../registry/testing/test-authority.ts';
import { allow, deny, FakeTrust, signedOnly } from '../../server/testing/signed-images.ts';
import type { Builder } from '../builder.ts';
import { BuildEgress } from '../egress/build-egress.ts';
import { Dialer } from '../egress/dialer.ts';
import type { BuildHost } from '../host.ts';
import type { PushTarget } from '../relay/pushes.ts';
import { BaseImages } from './base-images.ts';
import { bodyOfGitFetch } from './git-request.ts';
import { servePolicyProxy } from './policy-proxy.ts';
import { ProxyAnswers } from './proxy-answers.ts';

const directory = mkdtempSync(join(tmpdir(), 'a3s-proxy-'));
const files = testAuthority(directory);
const authority = {
  certificate: files.ca,
  privateKey: readFileSync(files.caFile.replace(/crt$/, 'key'), 'utf8'),
};
const image = buildImage({ name: 'app:1', layers: [[{ path: 'file', data: 'text' }]] });
const [layer = ''] = [...image.blobs.keys()].filter(
  (digest) => digest !== image.manifest.digest && digest !== image.config.digest,
);

let registry: FakeRegistry;
let answers: ProxyAnswers;
let trust: FakeTrust;
let log: object[];
let refusals: string[];
let sent: string[];
let used: object[];
let close: () => void = () => undefined;
let port = 0;
/** The store, where a test has one. */
let images: Pick<BuildHost['images'], 'resolve' | 'content'>;
const limits = { connections: 8, requests: 2, headMs: 30_000, stalledMs: 30_000 };
let platforms: readonly Platform[];
let pushes: readonly PushTarget[];
let login: Credentials | undefined;
/** Digests of the standing policy, and of that by which a build began. */
let [standing, begun]: [string, string | undefined] = ['', ''];

beforeEach(async () => {
  close();
  [registry, trust, log, refusals] = [new FakeRegistry(), new FakeTrust(), [], []];
  [sent, used] = [[], []];
  [standing, begun] = ['1', 'sha256:1'];
  limits.headMs = 30_000;
  [login, platforms, pushes] = [undefined, [hostPlatform()], []];
  registry.push('1', image);
  const nothing = () => Promise.reject(new A3sError('no-such-image', 'No such image'));
  images = { resolve: nothing, content: nothing };
  const host: BuildHost = {
    builders: { runs: () => false, use: nothing },
    images: {
      ingest: nothing,
      resolve: (name) => images.resolve(name),
      content: (image, use) => images.content(image, use),
    },
    ...{ registry, directory },
    trust: {
      standing: async () => ({ ...(await trust.standing()), digest: `sha256:${standing}` }),
      decide: (question, policy, now) => trust.decide(question, policy, now),
    },
    downloads: {
      send: async ({ method, url, headers, signal, body: given }) => {
        sent.push(`${method} ${url} ${JSON.stringify(headers)}${given?.toString() ?? ''}`);
        if (url.pathname === '/waits' && signal?.aborted === false) await once(signal, 'abort');
        const body = (async function* () {
          yield Buffer.from('downloaded');
        })();
        return { status: 200, url, headers: { etag: '"1"', connection: 'close' }, body };
      },
      close: async () => undefined,
    },
    egress: new BuildEgress({ home: directory, system: directory, hostSubnets: async () => [] }),
    dialer: new Dialer(),
    judge: async ({ manifestDigest, indexDigests }) => {
      const policy = { ...(await trust.standing()), digest: `sha256:${standing}` as const };
      const question = { reference: 'app:1', repository: 'registry.example/app', tag: '1' };
      const attached = { manifestDigest, indexDigests, attachments: [], confidential: false };
      return await trust.decide({ ...question, ...attached }, policy, new Date());
    },
    refused: (name) => refusals.push(name),
    log: { info: (_, fields = {}) => log.push(fields), error: () => undefined },
    shutdown: new AbortController().signal,
  };
  let server: Server | undefined;
  const builder: Builder = {
    ...{
      name: 'default',
      authority,
      image: 'image',
      cacheDisk: 'disk',
      keptBytes: 1000,
      dial: nothing,
      blobArchive: nothing,
      stepProxy: '',
    },
    serveStepProxy: () => () => undefined,
    serveProxy: (serve) => {
      server = createServer({ allowHalfOpen: true }, serve).listen(0, '127.0.0.1');
      return () => server?.close();
    },
  };
  answers = new ProxyAnswers(host, new BaseImages(host), {
    pulls: () => false,
    platforms: () => platforms,
    pushes: () => pushes,
    policy: () => begun,
    used: (each) => used.push(each),
    login: (domain) => (domain === 'registry.example' ? login : undefined),
  });
  close = servePolicyProxy(builder, answers, limits);
  if (server === undefined) throw new Error('nothing serves');
  await once(server, 'listening');
  const address = server.address();
  port = typeof address === 'object' ? (address?.port ?? 0) : 0;
});
afterAll(() => {
  close();
  rmSync(directory, { recursive: true });
});

/** One request over a proxy, as a program writes it: a whole URL, or a path inside of TLS. */
async function ask(method: string, url: string, ...headers: string[]): Promise<string> {
  return await askWith('', method, url, ...headers);
}

async function askWith(body: string, method: string, url: string, ...headers: string[]) {
  const { host, origin, pathname, protocol, search } = new URL(url);
  const outside = connect(port, '127.0.0.1');
  const plain = protocol === 'http:';
  const socket = plain ? outside : await secured(outside, host);
  const target = `${plain ? origin : ''}${pathname}${search}`;
  socket.write(
    [
      `${method} ${target} HTTP/1.1`,
      `Host: ${host}`,
      'Connection: close',
      ...headers,
      '',
      body,
    ].join('\r\n'),
  );
  return await text(socket);
}

async function secured(outside: Socket, host: string): Promise<Socket> {
  const name = host.replace(/:\d+$/, '');
  const authorityOf = host === name ? `${host}:443` : host;
  outside.write(`CONNECT ${authorityOf} HTTP/1.1\r\nHost: ${authorityOf}\r\n\r\n`);
  const [answer] = (await once(outside, 'data')) as [Buffer];
  expect(answer.toString()).toBe('HTTP/1.1 200 Connection established\r\n\r\n');
  const socket = connectTls({ socket: outside, ca: files.ca, servername: name });
  await once(socket, 'secureConnect');
  return socket;
}

const V2 = 'https://registry.example/v2';
const ACCEPTED = { verdict: expect.any(String), reason: expect.any(String) };

it('serves an image whose digest the policy accepts, and its blobs after it', async () => {
  trust.rules = [allow('registry.example/**')];
  expect(await ask('GET', `${V2}/`)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(await ask('GET', `${V2}/app/blobs/${layer}`)).toMatch(/^HTTP\/1\.1 403 .*no-cache/);
  const head = await ask('HEAD', `${V2}/app/manifests/1`);
  expect(head).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(head).toContain(`docker-content-digest: ${image.manifest.digest}\r\n`);
  const manifest = await ask('GET', `${V2}/app/manifests/${image.manifest.digest}`);
  expect(manifest).toContain(image.blobs.get(image.manifest.digest)?.toString() ?? 'nothing');
  expect(await ask('HEAD', `${V2}/app/blobs/${layer}`)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  const blob = await ask('GET', `${V2}/app/blobs/${layer}`);
  expect(blob).toContain(`content-length: ${image.blobs.get(layer)?.length}\r\n`);
  // The second answer is by the decision of the first one.
  const { digest: manifestDigest } = image.manifest;
  const base = { name: 'registry.example/app:1', manifest: manifestDigest, policy: 'sha256:1' };
  expect(used).toEqual([
    { ...base, ...ACCEPTED },
    { ...base, name: `registry.example/app@${manifestDigest}`, ...ACCEPTED },
  ]);
  // Of another repository it is another question.
  expect(await ask('GET', `${V2}/other/blobs/${layer}`)).toMatch(/^HTTP\/1\.1 403 /);
});

it('serves no blob that an earlier policy has let in', async () => {
  expect(await ask('HEAD', `${V2}/app/manifests/1`)).toMatch(/^HTTP\/1\.1 200 /);
  expect(await ask('GET', `${V2}/app/blobs/${layer}`)).toMatch(/^HTTP\/1\.1 200 /);
  [standing, begun] = ['2', 'sha256:2'];
  expect(await ask('GET', `${V2}/app/blobs/${layer}`)).toMatch(/^HTTP\/1\.1 403 .*no-cache/);
  [standing, begun] = ['1', 'sha256:1'];
  expect(await ask('GET', `${V2}/app/blobs/${layer}`)).toMatch(/^HTTP\/1\.1 200 /);
});

it('cuts a blob whose registry drips, and keeps the reason for the error of the build', async () => {
  const begun = performance.now();
  expect(await ask('HEAD', `${V2}/app/manifests/1`)).toMatch(/^HTTP\/1\.1 200 /);
  const reason = 'Cannot finish blob: fewer than 16384 bytes came in 45 seconds';
  registry.stream = async function* (_, bytes) {
    yield bytes.subarray(0, 1);
    throw new A3sError('registry-failed', reason);
  };
  expect(await ask('GET', `${V2}/app/blobs/${layer}`)).toMatch(/^HTTP\/1\.1 200 /);
  expect(answers.cutSince(begun)).toEqual([reason]);
  expect(answers.cutSince(performance.now())).toEqual([]);
  expect(log.at(-1)).toEqual({ digest: layer, reason });
});

it.each([
  ['the policy is another than the build began by', 'sha256:2', /policy was changed while/],
  ['no build is under way', undefined, /no build is under way/],
])('refuses everything while %s', async (_, policy, reason) => {
  begun = policy;
  for (const path of ['/v2/', '/v2/app/manifests/1', `/v2/app/blobs/${layer}`, '/file']) {
    const answer = await ask('GET', `https://registry.example${path}`);
    expect(answer).toMatch(/^HTTP\/1\.1 403 /);
    expect(answer).toMatch(reason);
  }
  expect([registry.fetched, sent]).toEqual([[], []]);
});

it('refuses before a byte is served, with the reason in the status line and in the body', async () => {
  trust.rules = [deny('registry.example/app'), allow('**')];
  const reason = 'the image policy refuses it: registry.example/app is refused';
  expect(await ask('HEAD', `${V2}/app/manifests/1`)).toMatch(
    new RegExp(`^HTTP/1\\.1 403 Forbidden: ${reason}`),
  );
  const answer = await ask('GET', `${V2}/app/manifests/${image.manifest.digest}`);
  expect(answer).toContain(`{"errors":[{"code":"DENIED","message":"${reason}`);
  expect(refusals).toHaveLength(2);
  expect([registry.fetched, used]).toEqual([[], []]);
});

it('decides on an index by the manifest for this host, with the index as a subject', async () => {
  trust.rules = [signedOnly('**')];
  const host = { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch };
  const digest = registry.pushIndex('2', [{ image, platform: host }]);
  expect(await ask('HEAD', `${V2}/app/manifests/2`)).toMatch(/^HTTP\/1\.1 403 /);
  expect(trust.asked).toMatchObject([
    { manifestDigest: image.manifest.digest, indexDigests: [digest], tag: '2' },
  ]);
});

const OTHER = { os: 'linux', architecture: 's390x' };

describe('an image of the store', () => {
  const foreign = buildImage({ layers: [[]], architecture: OTHER.architecture });
  let temporary: Awaited<ReturnType<typeof temporaryStore>>;

  beforeEach(async () => {
    temporary = await temporaryStore();
    images = temporary.store;
  });
  afterEach(() => temporary.remove());

  const names = ['registry.example/app:1'];
  const pulled = (...indexes: readonly StoredDocument[]) =>
    temporary.store.ingest(
      Object.assign(new MemorySource(image, { names, indexes }), {
        repoDigest: {
          repository: 'registry.example/app',
          digest: indexes[0]?.digest ?? digestOf(image.blobs.get(image.manifest.digest) ?? ''),
        },
      }),
    );
  const digestIn = (answer: string) => /docker-content-digest: (\S+)/.exec(answer)?.[1] ?? '';

  it('serves the index that an image was pulled by, whose other platforms its registry has', async () => {
    const digest = registry.pushIndex('1', [
      { image, platform: hostPlatform() },
      { image: foreign, platform: OTHER },
    ]);
    const index = registry.manifests.get(digest);
    if (index === undefined) throw new TypeError('no index');
    await pulled(index);
    expect(digestIn(await ask('HEAD', `${V2}/app/manifests/1`))).toBe(digest);
    expect(await ask('GET', `${V2}/app/manifests/${digest}`)).toContain(index.bytes.toString());
    const own = await ask('GET', `${V2}/app/manifests/${image.manifest.digest}`);
    expect(own).toMatch(/^HTTP\/1\.1 200 /);
    expect(registry.asked).toEqual([]);
    const other = await ask('GET', `${V2}/app/manifests/${foreign.manifest.digest}`);
    expect(digestIn(other)).toBe(foreign.manifest.digest);
    expect(registry.asked).toContain(`manifest ${foreign.manifest.digest}`);
    // A signature of the index counts for it.
    expect(trust.asked.at(-1)).toMatchObject({ indexDigests: [digest] });
  });

  it('serves an image that no registry gave by an index of its own platform alone', async () => {
    await temporary.store.ingest(new MemorySource(image, { names }));
    const head = await ask('HEAD', `${V2}/app/manifests/1`);
    const answer = await ask('GET', `${V2}/app/manifests/${digestIn(head)}`);
    expect(JSON.parse(answer.slice(answer.indexOf('{')).replace(/}[^}]*$/, '}'))).toMatchObject({
      mediaType: OCI_INDEX,
      manifests: [{ digest: image.manifest.digest, platform: hostPlatform() }],
    });
    expect(registry.asked).toEqual([]);
  });

  it('serves an image that its registry has without an index as it is', async () => {
    await pulled();
    const head = await ask('HEAD', `${V2}/app/manifests/1`);
    expect(digestIn(head)).toBe(image.manifest.digest);
    expect(registry.asked).toEqual([]);
  });
});

/** As BuildKit writes a cache: an index of layers, or a manifest. */
const cacheOf = (form: 'index' | 'manifest') => {
  const config = registry.addBlob(Buffer.from('{"layers":[]}'));
  const blob = { mediaType: OCI_LAYER, digest: layer, size: image.blobs.get(layer)?.length };
  const described = { mediaType: CACHE_CONFIG, digest: config, size: 13 };
  const type = form === 'index' ? OCI_INDEX : OCI_MANIFEST;
  const lists = form === 'index' ? { manifests: [blob, described] } : { config: described };
  const layers = form === 'index' ? {} : { layers: [blob] };
  const document = { schemaVersion: 2, mediaType: type, ...lists, ...layers };
  return { document: Buffer.from(JSON.stringify(document)), type };
};
const CACHE_CONFIG = 'application/vnd.buildkit.cacheconfig.v0';

it.each(['index', 'manifest'] as const)(
  'decides on a build cache as on an image, by the digest of its %s',
  async (form) => {
    const { document, type } = cacheOf(form);
    const digest = registry.addManifest(document, type, 'cache');
    trust.rules = [signedOnly('**')];
    expect(await ask('GET', `${V2}/app/manifests/cache`)).toMatch(/^HTTP\/1\.1 403 /);
    expect(await ask('GET', `${V2}/app/blobs/${layer}`)).toMatch(/^HTTP\/1\.1 403 /);
    expect(trust.asked).toMatchObject([{ manifestDigest: digest, tag: 'cache' }]);
    trust.rules = [allow('**')];
    expect(await ask('GET', `${V2}/app/manifests/cache`)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await ask('GET', `${V2}/app/blobs/${layer}`)).toMatch(/^HTTP\/1\.1 200 /);
  },
);

it('remembers the last eight indexes that list a manifest, however many do', async () => {
  trust.rules = [allow('**')];
  const host = { os: 'linux', architecture: process.arch === 'x64' ? 'amd64' : process.arch };
  const digests = Array.from({ length: 10 }, (_, n) =>
    registry.pushIndex(`i${n}`, [
      { image, platform: host },
      { image, platform: { os: 'linux', architecture: 'arm', variant: `v${n}` } },
    ]),
  );
  for (const n of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 3]) {
    expect(await ask('HEAD', `${V2}/app/manifests/i${n}`)).toMatch(/^HTTP\/1\.1 200 /);
  }
  // The third decision holds for a minute, and its index is one of the last again.
  registry.push('other', image);
  expect(await ask('HEAD', `${V2}/app/manifests/other`)).toMatch(/^HTTP\/1\.1 200 /);
  expect(trust.asked.at(-1)?.indexDigests).toEqual([2, 4, 5, 6, 7, 8, 9, 3].map((n) => digests[n]));
});

it('uses the client’s credentials for the registry of the request, and asks for them', async () => {
  registry.before = () => {
    throw new A3sError('registry-unauthorized', 'Cannot read it without a login');
  };
  const refused = await ask('HEAD', `${V2}/app/manifests/1`);
  expect(refused).toMatch(/^HTTP\/1\.1 401 Unauthorized\r\n/);
  expect(refused).toContain('www-authenticate: Basic realm="registry.example"');
  registry.before = () => undefined;
  const basic = Buffer.from('ci:open:sesame').toString('base64');
  await ask('HEAD', `${V2}/app/manifests/1`, `Authorization: Basic ${basic}`);
  expect(registry.opened.at(-1)?.credentials).toEqual({ username: 'ci', password: 'open:sesame' });
  // A build without BuildKit has no session: its login stays here.
  login = { username: 'classic', password: 'open' };
  await ask('HEAD', `${V2}/app/manifests/1`);
  expect(registry.opened.at(-1)?.credentials).toEqual(login);
});

it.each([
  ['a write that nobody has asked for', 'POST', '/v2/app/blobs/uploads/', 403],
  ['a manifest that nobody has asked for', 'PUT', '/v2/app/manifests/1', 403],
  ['a removal', 'DELETE', '/v2/app/manifests/1', 405],
  ['a list of tags', 'GET', '/v2/app/tags/list', 404],
  ['a name that is none', 'GET', '/v2/APP/manifests/1', 400],
  ['a digest that is none', 'GET', '/v2/app/blobs/sha256:1', 400],
])('refuses %s', async (_, method, path, status) => {
  expect(await ask(method, `https://registry.example${path}`)).toMatch(
    new RegExp(`^HTTP/1\\.1 ${status} `),
  );
});

describe('a push', () => {
  const repository = 'registry.example/team/app';
  const TEAM = `${V2}/team/app`;
  const bytes = Buffer.from('of a layer');
  const digest = digestOf(bytes);
  const manifest = JSON.stringify({ schemaVersion: 2, layers: [] });
  const put = (url: string, body: string, type = 'application/octet-stream') =>
    askWith(body, 'PUT', url, `Content-Length: ${body.length}`, `Content-Type: ${type}`);

  beforeEach(() => {
    registry.written = [];
    pushes = [{ repository, tag: 'a3s-result-1', tags: ['1', 'latest'] }];
  });

  it('writes to the repository that the client of a build named, under its tags', async () => {
    const begun = await ask('POST', `${TEAM}/blobs/uploads/?mount=${digest}&from=other`);
    expect(begun).toMatch(/^HTTP\/1\.1 202 /);
    expect(begun).toContain('location: /v2/team/app/blobs/uploads/a3s\r\n');
    expect(await ask('HEAD', `${TEAM}/blobs/${digest}`)).toMatch(/^HTTP\/1\.1 404 /);
    const sent = await put(`${TEAM}/blobs/uploads/a3s?digest=${digest}`, bytes.toString());
    expect(sent).toMatch(/^HTTP\/1\.1 201 /);
    expect(sent).toContain(`docker-content-digest: ${digest}\r\n`);
    expect(registry.blobs.get(digest)).toEqual(bytes);
    expect(await ask('HEAD', `${TEAM}/blobs/${digest}`)).toMatch(/^HTTP\/1\.1 200 /);
    expect(await ask('HEAD', `${TEAM}/manifests/a3s-result-1`)).toMatch(/^HTTP\/1\.1 404 /);
    const written = digestOf(Buffer.from(manifest));
    for (const name of ['a3s-result-1', written]) {
      expect(await put(`${TEAM}/manifests/${name}`, manifest, OCI_INDEX)).toMatch(/ 201 /);
    }
    expect(registry.written).toEqual([
      `${repository} blob ${digest}`,
      ...['1', 'latest', written].map((name) => `${repository} manifest ${name}`),
    ]);
    expect(registry.manifests.get('latest')).toMatchObject({ mediaType: OCI_INDEX });
    expect(registry.opened.at(-1)).toMatchObject({ access: 'push', namedByOthers: true });
  });

  it('asks the client of a push for credentials, and gives them to the registry alone', async () => {
    registry.before = () => {
      if (registry.opened.at(-1)?.credentials !== undefined) return;
      throw new A3sError('registry-unauthorized', 'Cannot write it without a login');
    };
    const url = `${TEAM}/blobs/uploads/a3s?digest=${digest}`;
    const refused = await put(url, bytes.toString());
    expect(refused).toMatch(/^HTTP\/1\.1 401 /);
    expect(refused).toContain('www-authenticate: Basic realm="registry.example"');
    const basic = `Authorization: Basic ${Buffer.from('ci:sesame').toString('base64')}`;
    const length = `Content-Length: ${bytes.length}`;
    expect(await askWith(bytes.toString(), 'PUT', url, basic, length)).toMatch(/ 201 /);
    expect(registry.opened.at(-1)?.credentials).toEqual({ username: 'ci', password: 'sesame' });
  });

  it.each([
    ['to another repository', 'POST', '/v2/team/other/blobs/uploads/', 403],
    ['to another host', 'POST', '//other.example/v2/team/app/blobs/uploads/', 403],
    ['to another tag', 'PUT', '/v2/team/app/manifests/1', 403],
    ['other content than a digest says', 'PUT', `/v2/team/app/manifests/${digest}`, 400],
    ['a blob without a digest', 'PUT', '/v2/team/app/blobs/uploads/a3s', 400],
    ['a blob without a length', 'PUT', `/v2/team/app/blobs/uploads/a3s?digest=${digest}`, 411],
    ['a part of a blob', 'PATCH', '/v2/team/app/blobs/uploads/a3s', 405],
    ['a removal', 'DELETE', `/v2/team/app/manifests/${digest}`, 405],
  ])('refuses to write %s', async (_, method, path, status) => {
    const url = new URL(path, 'https://registry.example').href;
    expect(await ask(method, url)).toMatch(new RegExp(`^HTTP/1\\.1 ${status} `));
    expect(registry.written).toEqual([]);
  });

  it('refuses a push once its build has ended', async () => {
    begun = undefined;
    expect(await ask('POST', `${TEAM}/blobs/uploads/`)).toMatch(/^HTTP\/1\.1 403 .*no build is/);
  });

  it('serves images of a repository that is pushed to by the decision of the policy', async () => {
    pushes = [{ repository: 'registry.example/app', tag: '1', tags: ['1'] }];
    trust.rules = [deny('registry.example/app'), allow('**')];
    expect(await ask('HEAD', `${V2}/app/manifests/1`)).toMatch(/^HTTP\/1\.1 200 /);
    for (const path of ['manifests/1', `manifests/${image.manifest.digest}`, `blobs/${layer}`]) {
      expect(await ask('GET', `${V2}/app/${path}`)).toMatch(/^HTTP\/1\.1 403 /);
    }
  });
});

it('downloads other files where no image has to be signed, and records their digests', async () => {
  const answer = await ask('GET', 'https://files.example:8443/x', 'If-None-Match: "0"');
  expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\netag: "1"\r\n[\s\S]*downloaded/);
  expect(sent).toEqual(['GET https://files.example:8443/x {"if-none-match":"\\"0\\""}']);
  const digest = 'sha256:b7a8a844a613be796bc1892dc480f9d92c50d32a5713a87758e5c5addc4ec814';
  expect(log).toEqual([{ url: 'https://files.example:8443/x', status: 200, size: 10, digest }]);
  expect(await ask('GET', 'http://files.example/x')).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  trust.rules = [allow('registry.example/**'), signedOnly('**')];
  expect(await ask('GET', 'http://files.example/x')).toMatch(/^HTTP\/1\.1 403 .*signatures/);
  trust.rules = [allow('registry.example/**')];
  expect(await ask('GET', 'http://files.example/x')).toMatch(/^HTTP\/1\.1 403 .*without a name/);
  expect(sent).toHaveLength(2);
});

const FETCH = 'application/x-git-upload-pack-request';
const fetching = (url: string, type = FETCH, body = '0011want') =>
  askWith(body, 'POST', url, `Content-Type: ${type}`, `Content-Length: ${body.length}`);

it('lets git read repositories by the policies of files, and write to none', async () => {
  const url = 'https://git.example/a/b.git/git-upload-pack';
  expect(await fetching(url)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*downloaded/);
  expect(sent).toEqual([`POST ${url} {"content-type":"${FETCH}"}0011want`]);
  expect(log).toMatchObject([{ url, status: 200, size: 10 }]);
  expect(await fetching(url.replace('upload', 'receive'))).toMatch(/^HTTP\/1\.1 405 /);
  expect(await fetching(url, 'text/plain')).toMatch(/^HTTP\/1\.1 405 /);
  expect(await fetching(`${url}?service=git-receive-pack`)).toMatch(/^HTTP\/1\.1 405 /);
  expect(await fetching('https://registry.example/v2/git-upload-pack')).toMatch(/^HTTP\/1\.1 405 /);
  trust.rules = [signedOnly('**')];
  expect(await fetching(url)).toMatch(/^HTTP\/1\.1 403 .*signatures/);
  expect(sent).toHaveLength(1);
});

it('bounds what git sends, and does not wait for it', async () => {
  const url = 'http://git.example/b.git/git-upload-pack';
  expect(await fetching(url, FETCH, 'x'.repeat(1024 * 1024 + 1))).toMatch(/^HTTP\/1\.1 413 /);
  const request = Object.assign(new PassThrough(), { method: 'POST' }) as never;
  const never = new AbortController().signal;
  await expect(bodyOfGitFetch(request, never, 1)).rejects.toMatchObject({ name: 'TimeoutError' });
  expect(sent).toEqual([]);
});

it.each(['CONNECT nowhere HTTP/1.1', 'CONNECT a b:1 HTTP/1.1', 'GET /path HTTP/1.1', 'x'])(
  'refuses what is no request to a proxy: %s',
  async (line) => {
    const socket = connect(port, '127.0.0.1');
    socket.write(`${line}\r\nHost: x\r\nConnection: close\r\n\r\n`);
    expect(await text(socket)).toMatch(/^(?:HTTP\/1\.1 400 |$)/);
    expect(sent).toEqual([]);
  },
);

it.each([
  'GET http://files.example/x HTTP/1.1',
  'GET https://files.example/x HTTP/1.1',
  'GET @files.example/x HTTP/1.1',
  'GET * HTTP/1.1',
  'CONNECT files.example:443 HTTP/1.1',
  'POST /x HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked',
  'PRI * HTTP/2.0',
])('refuses what is no request to the host that TLS is for: %s', async (line) => {
  const socket = await secured(connect(port, '127.0.0.1'), 'tunnel.example');
  socket.write(`${line}\r\nHost: x\r\nConnection: close\r\n\r\n`);
  expect(await text(socket)).toMatch(/^(?:HTTP\/1\.1 400 |$)/);
  expect([sent, log]).toEqual([[], []]);
});

it('asks the host that TLS is for, whatever the request names, and changes to no other protocol', async () => {
  const url = 'https://tunnel.example/x';
  const upgrade = ['Connection: Upgrade, HTTP2-Settings', 'Upgrade: h2c', 'HTTP2-Settings: AAAA'];
  expect(await ask('GET', url, ...upgrade, 'X-Forwarded-Host: other.example')).toMatch(
    /^HTTP\/1\.1 200 OK\r\n[\s\S]*downloaded/,
  );
  const socket = await secured(connect(port, '127.0.0.1'), 'tunnel.example');
  socket.write(
    'GET //other.example/x HTTP/1.1\r\nHost: other.example\r\nConnection: close\r\n\r\n',
  );
  expect(await text(socket)).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  expect(sent).toEqual([`GET ${url} {}`, 'GET https://tunnel.example//other.example/x {}']);
});

it.each([
  ['sends nothing', ''],
  ['sends half of a head', 'GET http://x/ HTTP/1.1\r\nHost: '],
  ['begins no TLS', 'CONNECT a.example:443 HTTP/1.1\r\nHost: a\r\n\r\n'],
])('cuts a connection that %s', async (_, head) => {
  limits.headMs = 50;
  const socket = connect(port, '127.0.0.1');
  socket.write(head);
  expect(await text(socket)).toMatch(/^(?:HTTP\/1\.1 200 Connection established\r\n\r\n)?$/);
});

it('serves so many connections and no more, and others again when those have ended', async () => {
  const held = Array.from({ length: limits.connections }, () => connect(port, '127.0.0.1'));
  await Promise.all(held.map((socket) => once(socket, 'connect')));
  const refused = connect(port, '127.0.0.1');
  refused.on('error', () => undefined);
  await once(refused, 'close');
  for (const socket of held) socket.end();
  await Promise.all(held.map((socket) => once(socket.resume(), 'close')));
  expect(await ask('GET', 'http://files.example/x')).toMatch(/^HTTP\/1\.1 200 /);
});

it('answers so many requests at a time, and the others after them', async () => {
  const answers = Array.from({ length: 6 }, () => ask('GET', 'http://files.example/x'));
  for (const answer of await Promise.all(answers)) expect(answer).toMatch(/^HTTP\/1\.1 200 /);
});

it('cuts a connection that asks again before its answer, and gives its place to others', async () => {
  for (let time = 0; time < limits.requests; time += 1) {
    const socket = connect(port, '127.0.0.1');
    socket.write('GET http://files.example/waits HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(5));
    expect(await text(socket).catch(() => '')).toBe('');
  }
  expect(await ask('GET', 'http://files.example/x')).toMatch(/^HTTP\/1\.1 200 /);
});

it('serves a connection on which requests come one after another', async () => {
  const socket = await secured(connect(port, '127.0.0.1'), 'registry.example');
  let answer = '';
  socket.on('data', (chunk) => {
    answer += chunk;
  });
  for (let time = 0; time < 3; time += 1) {
    answer = '';
    socket.write('GET /v2/ HTTP/1.1\r\nHost: registry.example\r\n\r\n');
    while (!answer.endsWith('\r\n0\r\n\r\n')) await once(socket, 'data');
    expect(answer).toMatch(/^HTTP\/1\.1 200 OK\r\n/);
  }
  socket.destroy();
});
