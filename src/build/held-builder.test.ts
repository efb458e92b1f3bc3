import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AddressInfo, connect } from 'node:net';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { FakeRegistry } from '../distribution/testing/fake-registry.ts';
import { A3sError } from '../errors.ts';
import { buildImage } from '../images/testing/build-image.ts';
import { type TemporaryStore, temporaryStore } from '../images/testing/temporary-store.ts';
import type { Digest } from '../oci/digest.ts';
import { FakeTrust } from '../server/testing/signed-images.ts';
import { makeAuthority } from '../tls-proxy/make-authority.ts';
import type { Builder } from './builder.ts';
import { BuildEgress } from './egress/build-egress.ts';
import { Dialer } from './egress/dialer.ts';
import { type BegunBuild, HeldBuilder } from './held-builder.ts';
import type { BuildHost } from './host.ts';
import { BaseImages } from './proxy/base-images.ts';
import { builderOf } from './testing/builder-of.ts';

const image = buildImage({ name: 'app:1', layers: [[{ path: 'file', data: 'text' }]] });
const digest = image.manifest.digest as Digest;
const trust = new FakeTrust();
const { signal } = new AbortController();

let store: TemporaryStore;
let daemon: Server;
let held: HeldBuilder;
/** What the daemon was asked to remove. */
let removed: string[];
let status = 200;
/** The names of the daemon's images. */
let names: string[];

beforeEach(async () => {
  store = await temporaryStore();
  [removed, status, names] = [[], 200, []];
  daemon = createServer(({ method, url = '' }, response) => {
    if (method === 'DELETE') {
      removed.push(decodeURIComponent(url.split('?')[0] ?? ''));
      response.statusCode = status;
    }
    const images = JSON.stringify(names.map((name) => ({ RepoTags: [name] })));
    if (url === '/images/json') response.end(images);
    else response.end(url.startsWith('/system/df') || method === 'POST' ? '{}' : '[]');
  });
  daemon.listen(0, '127.0.0.1');
  await once(daemon, 'listening');
  const { port } = daemon.address() as AddressInfo;
  const nothing = () => Promise.reject(new A3sError('no-such-image', 'No such image'));
  const host: BuildHost = {
    builders: { runs: () => true, use: nothing },
    images: store.store,
    registry: new FakeRegistry(),
    directory: store.root,
    trust,
    downloads: { send: nothing, close: async () => undefined },
    egress: new BuildEgress({ home: store.root, system: store.root, hostSubnets: async () => [] }),
    dialer: new Dialer(),
    judge: nothing,
    refused: () => undefined,
    log: { info: () => undefined, error: () => undefined },
    shutdown: signal,
  };
  const builder: Builder = {
    ...builderOf(image.blobs),
    authority: makeAuthority({ subject: 'a builder', now: Date.now() }),
    serveProxy: () => () => undefined,
    serveStepProxy: () => () => undefined,
    dial: async () => {
      const connection = connect(port, '127.0.0.1');
      await once(connection, 'connect');
      return connection;
    },
  };
  held = new HeldBuilder(host, builder, new BaseImages(host));
});
afterEach(() => {
  held.close();
  daemon.close();
  store.remove();
});

const begin = async (): Promise<BegunBuild> =>
  await held.begin(
    await trust.standing(),
    { isClassic: false, logins: new Map(), pushes: [] },
    signal,
  );
const RESULT = { digest, names: ['docker.io/library/app:1'] };

it('removes a result from the builder when its build has ended, also one that cannot be stored', async () => {
  const build = await begin();
  expect((await build.import(RESULT, signal)).manifestDigest).toBe(digest);
  expect(removed).toEqual([`/images/${digest}`]);
  const other = await begin();
  const missing = `sha256:${'0'.repeat(64)}` as Digest;
  await expect(other.import({ ...RESULT, digest: missing }, signal)).rejects.toMatchObject({
    code: 'builder-failed',
  });
  expect(removed).toEqual([`/images/${digest}`, `/images/${missing}`]);
});

it('keeps a result while another build runs, which may have the same', async () => {
  const [one, other] = [await begin(), await begin()];
  await one.import(RESULT, signal);
  expect(removed).toEqual([]);
  await other.import(RESULT, signal);
  expect(removed).toEqual([`/images/${digest}`]);
});

it('removes a result before the next build, where the last one to end had none', async () => {
  const [one, other] = [await begin(), await begin()];
  await one.import(RESULT, signal);
  other.end();
  expect(removed).toEqual([]);
  (await begin()).end();
  expect(removed).toEqual([`/images/${digest}`]);
});

it('removes a result later that the builder could not remove', async () => {
  status = 500;
  await (await begin()).import(RESULT, signal);
  status = 200;
  (await begin()).end();
  (await begin()).end();
  expect(removed).toEqual([`/images/${digest}`, `/images/${digest}`]);
});

it('begins no build for a client that has left while others began', async () => {
  const other = await begin();
  const left = new AbortController();
  const first = begin();
  const second = held.begin(
    await trust.standing(),
    { isClassic: false, logins: new Map(), pushes: [] },
    left.signal,
  );
  left.abort(new Error('gone'));
  await expect(second).rejects.toThrow('gone');
  (await first).end();
  await other.import(RESULT, signal);
  // The one that is gone keeps no result.
  expect(removed).toEqual([`/images/${digest}`]);
});

it('removes the result of a build that has failed for its client, once no other build runs', async () => {
  const [one, other] = [await begin(), await begin()];
  names = ['a3s-result-1'];
  one.end();
  await held.trim(signal);
  expect(removed).toEqual([]);
  other.end();
  await held.trim(signal);
  expect(removed).toEqual(['/images/a3s-result-1']);
});

it('fails no build whose names the builder cannot remove, and begins no other one', async () => {
  const build = await begin();
  [names, status] = [['base:1'], 500];
  expect((await build.import(RESULT, signal)).manifestDigest).toBe(digest);
  await held.tidy(signal);
  expect(removed).toContain('/images/base:1');
  await expect(begin()).rejects.toMatchObject({ code: 'builder-failed' });
});
