import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { digestOf } from '../oci/digest.ts';
import { openRegistry } from './open-registry.ts';
import type { Repository } from './registry.ts';
import { openRepository } from './repository.ts';
import { type CuttingProxy, startCuttingProxy } from './testing/cutting-proxy.ts';
import { type PlainTransport, plainTransport } from './testing/plain-transport.ts';
import { type StartedRegistry, startRegistry, TEST_USER } from './testing/start-registry.ts';

const run = promisify(execFile);
const OCI = 'application/vnd.oci.image.manifest.v1+json';

let registry: StartedRegistry;
let direct: PlainTransport;
beforeAll(async () => {
  registry = await startRegistry();
  direct = plainTransport(registry.host);
});
afterAll(async () => {
  await direct?.close();
  await registry?.stop();
});

let proxy: CuttingProxy | undefined;
let proxied: PlainTransport | undefined;
afterEach(async () => {
  await proxied?.close();
  await proxy?.stop();
});

const retryLimits = { backoffMs: 1, attempts: 20 };

/** A repository reached directly. */
function open(path: string): Repository {
  return openRepository(direct, `${registry.host}/${path}`, { access: 'push', retryLimits });
}

/** A repository reached through a proxy that can cut connections. */
async function openProxied(path: string) {
  proxy = await startCuttingProxy(registry.host);
  proxied = plainTransport(proxy.host);
  const name = `${proxy.host}/${path}`;
  return {
    proxy,
    repository: openRepository(proxied, name, { access: 'push', retryLimits }),
  };
}

async function put(repository: Repository, bytes: Buffer, mountFrom: readonly string[] = []) {
  const descriptor = { digest: digestOf(bytes), size: bytes.length };
  async function* source(offset: number) {
    for (let at = offset; at < bytes.length; at += 65_536) yield bytes.subarray(at, at + 65_536);
  }
  const outcome = await repository.putBlob(descriptor, source, { mountFrom });
  return { descriptor, outcome };
}

async function read(blob: AsyncIterable<Uint8Array>): Promise<Buffer> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of blob) chunks.push(chunk);
  return Buffer.concat(chunks);
}

async function putImage(repository: Repository, more: object = {}) {
  const config = Buffer.from(
    JSON.stringify({
      architecture: 'amd64',
      os: 'linux',
      rootfs: { type: 'layers', diff_ids: [] },
    }),
  );
  const { descriptor } = await put(repository, config);
  const manifest = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: OCI,
      config: { mediaType: 'application/vnd.oci.image.config.v1+json', ...descriptor },
      layers: [],
      ...more,
    }),
  );
  return { manifest, digest: digestOf(manifest) };
}

describe("Docker's registry", () => {
  it('pushes a blob once to a distribution registry, reads it back, and mounts it elsewhere', async () => {
    const bytes = randomBytes(500_000);
    const one = open('team/one');
    const { descriptor, outcome } = await put(one, bytes);
    expect(outcome).toBe('uploaded');
    expect(await one.hasBlob(descriptor.digest)).toBe(true);
    expect((await put(one, bytes)).outcome).toBe('there');
    expect((await read(one.blob(descriptor))).equals(bytes)).toBe(true);
    const two = open('team/two');
    expect(await two.hasBlob(descriptor.digest)).toBe(false);
    const absent = `${registry.host}/team/absent`;
    expect((await put(two, bytes, [absent, one.name])).outcome).toBe('mounted');
    expect(await two.hasBlob(descriptor.digest)).toBe(true);
  });

  it('pushes an empty blob, and one of a single byte', async () => {
    for (const bytes of [Buffer.alloc(0), Buffer.alloc(1, 7)]) {
      const { descriptor, outcome } = await put(open('team/small'), bytes);
      expect(outcome).toBe('uploaded');
      expect(await read(open('team/small').blob(descriptor))).toEqual(bytes);
    }
  });

  it('reads a manifest by tag and by digest as skopeo does', async () => {
    const repository = open('team/image');
    const { manifest, digest } = await putImage(repository);
    expect(await repository.describe('v1')).toBeUndefined();
    expect(await repository.putManifest('v1', OCI, manifest)).toBe(digest);
    const found = { digest, mediaType: OCI, bytes: manifest };
    expect(await repository.manifest('v1')).toEqual(found);
    expect(await repository.manifest(digest)).toEqual(found);
    expect(await repository.describe('v1')).toEqual({
      digest,
      mediaType: OCI,
      size: manifest.length,
    });
    const image = `docker://${registry.host}/team/image:v1`;
    const { stdout } = await run('skopeo', ['inspect', '--raw', '--tls-verify=false', image]);
    expect(stdout).toBe(String(manifest));
  });

  it('lists referrers at their tag in a registry without a referrers API', async () => {
    const repository = open('team/signed');
    const { manifest, digest } = await putImage(repository);
    await repository.putManifest('v1', OCI, manifest);
    const subject = { mediaType: OCI, digest, size: manifest.length };
    for (const artifactType of ['application/vnd.example.a', 'application/vnd.example.b']) {
      const artifact = await putImage(repository, { subject, artifactType });
      await repository.putManifest(artifact.digest, OCI, artifact.manifest);
    }
    expect(await repository.referrers(digest)).toMatchObject([
      { artifactType: 'application/vnd.example.a' },
      { artifactType: 'application/vnd.example.b' },
    ]);
    expect(await repository.referrers(digest, 'application/vnd.example.b')).toHaveLength(1);
  });
});

describe("Docker's registry with TLS and tokens", () => {
  it('pushes with the rights of each repository, including the one that a blob is mounted from', async () => {
    const guarded = await startRegistry({ tls: true, token: true });
    const certsDirectories = [guarded.certsDirectory()];
    const registry = openRegistry({ certsDirectories, registriesFiles: [] });
    try {
      const repository = (path: string) =>
        registry.repository(`${guarded.host}/${path}`, { access: 'push', credentials: TEST_USER });
      const bytes = randomBytes(100_000);
      const one = repository('team/one');
      expect((await put(one, bytes)).outcome).toBe('uploaded');
      const two = repository('team/two');
      expect((await put(two, bytes, [one.name])).outcome).toBe('mounted');
      const { manifest, digest } = await putImage(two);
      expect(await two.putManifest('v1', OCI, manifest)).toBe(digest);
      const nobody = registry.repository(two.name, { access: 'push' });
      await expect(nobody.putManifest('v1', OCI, manifest)).rejects.toMatchObject({
        code: 'registry-unauthorized',
      });
    } finally {
      await registry.close();
      await guarded.stop();
    }
  });
});

describe('a network that is cut', () => {
  it('completes a download through a network that breaks repeatedly', async () => {
    const bytes = randomBytes(4_000_000);
    const { descriptor } = await put(open('team/cut'), bytes);
    const { repository, proxy } = await openProxied('team/cut');
    proxy.cutAfter(100_000, 1, 700, 1_000_000, 65_536, 2_000_000, 3);
    expect((await read(repository.blob(descriptor))).equals(bytes)).toBe(true);
    expect(proxy.cuts).toBeGreaterThan(4);
  });

  it('completes an upload through a network that breaks repeatedly', async () => {
    const bytes = randomBytes(4_000_000);
    const { repository, proxy } = await openProxied('team/cut-upload');
    proxy.cutAfter(900_000, 1_000_000, 700_000, 1_500_000, 400);
    const { descriptor, outcome } = await put(repository, bytes);
    expect(outcome).toBe('uploaded');
    expect(proxy.cuts).toBeGreaterThan(3);
    expect((await read(open('team/cut-upload').blob(descriptor))).equals(bytes)).toBe(true);
  });

  it('completes an upload through a network that breaks at any of its first requests', async () => {
    for (const cut of [10, 400, 700, 900, 1200, 1500, 70_000]) {
      await proxied?.close();
      await proxy?.stop();
      const bytes = randomBytes(100_000);
      const { repository, proxy: network } = await openProxied('team/early');
      network.cutAfter(cut);
      // This transport does not repeat its first request, so the test repeats the upload.
      await put(repository, bytes).catch(() => put(repository, bytes));
      expect(await open('team/early').hasBlob(digestOf(bytes))).toBe(true);
    }
  });
});
