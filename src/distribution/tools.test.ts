import { execFile } from 'node:child_process';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import {
  buildImage,
  type Descriptor,
  sha256,
  writeOciLayout,
} from '../images/testing/build-image.ts';
import { busyboxImage } from '../images/testing/busybox-image.ts';
import { type TemporaryStore, temporaryStore } from '../images/testing/temporary-store.ts';
import { hostPlatform } from '../oci/platform.ts';
import { parseReference } from '../oci/reference.ts';
import { openRegistry } from '../registry/open-registry.ts';
import type { Credentials, Registry } from '../registry/registry.ts';
import {
  type StartedRegistry,
  type StartRegistryOptions,
  startRegistry,
  TEST_USER,
} from '../registry/testing/start-registry.ts';
import type { TrustQuestion } from '../trust/question.ts';
import { type PullResult, pullImage } from './pull.ts';
import { decisionOf } from './testing/decisions.ts';

const execute = promisify(execFile);
const INDEX = 'application/vnd.oci.image.index.v1+json';
const CREDENTIALS = `${TEST_USER.username}:${TEST_USER.password}`;

const busybox = buildImage({ ...busyboxImage(), name: 'bb' });

let started: StartedRegistry;
let registry: Registry;
let temporary: TemporaryStore;
let questions: TrustQuestion[];

beforeEach(async () => {
  temporary = await temporaryStore();
  questions = [];
});
afterEach(async () => {
  temporary.remove();
  await registry?.close();
});

function open(): void {
  const certsDirectories = started.authority === undefined ? [] : [started.certsDirectory()];
  registry = openRegistry({ certsDirectories, registriesFiles: [] });
}

function pull(name: string, credentials?: Credentials): Promise<PullResult> {
  return pullImage(
    {
      registry,
      images: temporary.store,
      decide: async (question) => {
        questions.push(question);
        return decisionOf(question);
      },
    },
    { reference: parseReference(`${started.host}/${name}`), credentials },
  );
}

async function run(program: string, args: readonly string[], env = {}): Promise<string> {
  const { stdout } = await execute(program, args, {
    cwd: started.directory,
    env: { PATH: process.env['PATH'], HOME: started.directory, ...env },
    timeout: 60_000,
  });
  return stdout;
}

/** Copies the layout `layout` in the registry's directory to the registry. */
async function push(name: string, ...options: readonly string[]): Promise<void> {
  const certs =
    started.authority === undefined
      ? ['--dest-tls-verify=false']
      : [`--dest-cert-dir=${join(started.certsDirectory(), started.host)}`];
  const args = [
    'copy',
    '-q',
    ...certs,
    ...options,
    'oci:layout:bb',
    `docker://${started.host}/${name}`,
  ];
  await run('skopeo', args);
}

describe('an image that skopeo pushed', () => {
  beforeAll(async () => {
    started = await startRegistry();
    writeOciLayout(join(started.directory, 'layout'), [busybox]);
  });
  beforeEach(open);
  afterAll(() => started?.stop());

  it.each([
    ['as OCI', ['--format=oci'], 'application/vnd.oci.image.layer.v1.tar+gzip'],
    ['for Docker', ['--format=v2s2'], 'application/vnd.docker.image.rootfs.diff.tar.gzip'],
  ])('pulls an image that skopeo pushed %s', async (how, options, mediaType) => {
    const name = `team/${how.replaceAll(' ', '-').toLowerCase()}:1`;
    await push(name, ...options);
    const { image, upToDate } = await pull(name);
    expect(upToDate).toBe(false);
    expect(image.tags).toEqual([`${started.host}/${name}`]);
    expect(image.diffIds).toEqual(busybox.diffIds);
    expect(image.config.cmd).toEqual(['sh']);
    expect(await temporary.store.bootLayers(image)).toHaveLength(1);
    expect((await pull(name)).upToDate).toBe(true);
    await temporary.store.content(image, async ({ blobs: [, layer] }) => {
      expect(layer?.mediaType).toBe(mediaType);
    });
    const inspect = ['inspect', '--tls-verify=false', '--format={{.Digest}}'];
    const digest = await run('skopeo', [...inspect, `docker://${started.host}/${name}`]);
    expect(image.manifestDigest).toBe(digest.trim());
  });

  it('pulls an image that skopeo pushed with zstd', async () => {
    // Another image than the one pushed with gzip, whose layers skopeo would reuse.
    const plain = buildImage({
      name: 'bb',
      layers: [[{ path: 'file', data: 'zstd '.repeat(10_000) }]],
      compression: 'none',
    });
    writeOciLayout(join(started.directory, 'plain'), [plain]);
    const target = `docker://${started.host}/team/zstd:1`;
    const options = ['-q', '--dest-tls-verify=false', '--dest-compress-format=zstd'];
    await run('skopeo', ['copy', ...options, 'oci:plain:bb', target]);
    const { image } = await pull('team/zstd:1');
    expect(image.diffIds).toEqual(plain.diffIds);
    await temporary.store.content(image, async ({ blobs: [, layer] }) => {
      expect(layer?.mediaType).toBe('application/vnd.oci.image.layer.v1.tar+zstd');
    });
  });

  it('pulls the image of this platform from an index that skopeo pushed', async () => {
    const { architecture } = hostPlatform();
    const other = buildImage({
      layers: [[{ path: 'other', data: 'x' }]],
      architecture: architecture === 'arm64' ? 'amd64' : 'arm64',
    });
    const entry = (manifest: Descriptor, platform: object) => ({ ...manifest, platform });
    const index = Buffer.from(
      JSON.stringify({
        schemaVersion: 2,
        mediaType: INDEX,
        manifests: [
          entry(other.manifest, { os: 'linux', architecture: 'riscv64' }),
          entry(busybox.manifest, { os: 'linux', architecture }),
        ],
      }),
    );
    const directory = join(started.directory, 'several');
    writeOciLayout(directory, [busybox, other]);
    mkdirSync(join(directory, 'blobs/sha256'), { recursive: true });
    writeFileSync(join(directory, 'blobs/sha256', sha256(index).slice(7)), index);
    const root = { mediaType: INDEX, digest: sha256(index), size: index.length };
    const annotations = { 'org.opencontainers.image.ref.name': 'all' };
    writeFileSync(
      join(directory, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: [{ ...root, annotations }] }),
    );
    const target = `docker://${started.host}/team/several:1`;
    await run('skopeo', [
      'copy',
      '-q',
      '--all',
      '--dest-tls-verify=false',
      'oci:several:all',
      target,
    ]);
    const { image, digest } = await pull('team/several:1');
    expect(digest).toBe(sha256(index));
    expect(image).toMatchObject({
      manifestDigest: busybox.manifest.digest,
      indexDigests: [sha256(index)],
      repoDigests: [`${started.host}/team/several@${sha256(index)}`],
    });
  });

  it('refuses to pull a missing image, and names it', async () => {
    await expect(pull('team/nothing:1')).rejects.toMatchObject({ code: 'not-in-registry' });
  });
});

describe('what cosign puts beside an image', () => {
  const cosign = (...args: readonly string[]) =>
    run('cosign', args, { COSIGN_PASSWORD: '', COSIGN_EXPERIMENTAL: '1' });
  const signing = ['--yes', '--key=cosign.key', '--tlog-upload=false', '--allow-http-registry'];
  let count = 0;
  let name: string;
  let reference: string;

  beforeAll(async () => {
    started = await startRegistry();
    writeOciLayout(join(started.directory, 'layout'), [busybox]);
    await cosign('generate-key-pair');
  });
  beforeEach(async () => {
    open();
    count += 1;
    const repository = `team/signed-${count}`;
    name = `${repository}:1`;
    await push(name, '--format=oci');
    const inspect = ['inspect', '--tls-verify=false', '--format={{.Digest}}'];
    const digest = await run('skopeo', [...inspect, `docker://${started.host}/${name}`]);
    reference = `${started.host}/${repository}@${digest.trim()}`;
  });
  afterAll(() => started?.stop());

  it('finds and stores a signature of cosign, and updates it at the next pull', async () => {
    await cosign('sign', ...signing, reference);
    const { image } = await pull(name);
    const [signature, ...others] = questions[0]?.attachments ?? [];
    expect(others).toEqual([]);
    expect(signature).toMatchObject({ attachedBy: 'tag', subject: image.manifestDigest });
    const [payload] = signature?.blobs.values() ?? [];
    expect(JSON.parse(String(payload))).toMatchObject({
      critical: { image: { 'docker-manifest-digest': image.manifestDigest } },
    });
    expect(await temporary.store.attachments([image.manifestDigest])).toEqual([signature]);

    writeFileSync(join(started.directory, 'predicate.json'), '{"it":"is so"}');
    const predicate = ['--predicate=predicate.json', '--type=https://example.com/it'];
    await cosign('attest', ...signing, ...predicate, reference);
    const again = await pull(name);
    expect(again.upToDate).toBe(true);
    expect(await temporary.store.attachments([image.manifestDigest])).toHaveLength(2);
  });

  it('finds an attestation of cosign in a bundle', async () => {
    writeFileSync(join(started.directory, 'predicate.json'), '{"it":"is so"}');
    const predicate = ['--predicate=predicate.json', '--type=https://example.com/it'];
    await cosign('attest', ...signing, '--new-bundle-format', ...predicate, reference);
    await pull(name);
    const bundles = questions[0]?.attachments.filter(({ attachedBy }) => attachedBy === 'referrer');
    expect(bundles).toHaveLength(1);
    const [bundle] = bundles?.[0]?.blobs.values() ?? [];
    expect(JSON.parse(String(bundle))).toMatchObject({
      mediaType: 'application/vnd.dev.sigstore.bundle.v0.3+json',
      dsseEnvelope: {},
    });
  });

  it('finds a signature of cosign that is a referrer', async () => {
    await cosign('sign', ...signing, '--registry-referrers-mode=oci-1-1', reference);
    await pull(name);
    const referrers = questions[0]?.attachments.filter(
      ({ attachedBy }) => attachedBy === 'referrer',
    );
    expect(referrers).toHaveLength(1);
  });
});

describe.each<[string, StartRegistryOptions]>([
  ['with TLS', { tls: true }],
  ['with passwords', { tls: true, htpasswd: true }],
  ['with tokens', { tls: true, token: true }],
])('a registry %s', (_, options) => {
  const isOpen = options.htpasswd === undefined && options.token === undefined;
  beforeAll(async () => {
    started = await startRegistry(options);
    writeOciLayout(join(started.directory, 'layout'), [busybox]);
    await push('team/app:1', ...(isOpen ? [] : [`--dest-creds=${CREDENTIALS}`]));
  });
  beforeEach(open);
  afterAll(() => started?.stop());

  it('pulls an image with the credentials of a user who may read it', async () => {
    const { image } = await pull('team/app:1', isOpen ? undefined : TEST_USER);
    expect(image.id).toBe(busybox.config.digest);
  });

  if (isOpen) return;
  it('refuses to pull an image without credentials, and with wrong ones', async () => {
    for (const credentials of [undefined, { ...TEST_USER, password: 'wrong' }]) {
      await expect(pull('team/app:1', credentials)).rejects.toMatchObject({
        code: expect.stringMatching(/^registry-(unauthorized|denied)$/),
      });
    }
    expect(await temporary.remains()).toEqual([]);
  });
});
