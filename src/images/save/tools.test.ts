import { execFileSync } from 'node:child_process';
import { createWriteStream, mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Digest } from '../../oci/digest.ts';
import { startRegistry } from '../../registry/testing/start-registry.ts';
import { buildImage, ociArchive, writeOciLayout } from '../testing/build-image.ts';
import { busyboxImage } from '../testing/busybox-image.ts';
import { multiArchImage, signatureOf } from '../testing/signed-image.ts';
import { streamed } from '../testing/streams.ts';
import { type TemporaryStore, temporaryStore } from '../testing/temporary-store.ts';

const EVERYTHING = {
  danglingOnly: false,
  until: undefined,
  matches: () => true,
  inUse: () => new Set<string>(),
};

let temporary: TemporaryStore;
let root: string;

beforeEach(async () => {
  temporary = await temporaryStore();
  root = temporary.root;
});
afterEach(() => temporary.remove());

const busybox = buildImage(busyboxImage('docker.io/team/app:1'));
const other = buildImage({
  name: 'docker.io/team/other:2',
  layers: [[{ path: 'other', data: 'other' }]],
  config: { Cmd: ['/other'] },
});

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] }).toString();
}

const podman = (...args: string[]): string =>
  run(
    'podman',
    ...['--root', join(root, 'p'), '--runroot', join(root, 'r'), '--storage-driver=vfs'],
    ...args,
  );

async function saved(...references: string[]): Promise<string> {
  const path = join(root, 'saved.tar');
  await pipeline(await temporary.store.save(references), createWriteStream(path));
  return path;
}

/** Stores a signed image that was selected from an index. */
async function ingestSigned() {
  const { index, documents } = multiArchImage(busybox);
  const subject = busybox.manifest.digest as Digest;
  await temporary.store.ingest({
    manifest: documents.manifest,
    indexes: [documents.index],
    blob: ({ digest }) => streamed(busybox.blobs.get(digest) ?? expect.fail()),
    names: ['docker.io/team/app:1'],
    repoDigest: { repository: 'docker.io/team/app', digest: index },
    origin: { kind: 'pull', reference: 'team/app:1', at: '2026-01-01T00:00:00Z' },
    attachments: [
      signatureOf(subject),
      signatureOf(index, 'att'),
      signatureOf(subject, 'referrer'),
    ],
  });
  return { index, subject };
}

describe('what is saved', () => {
  it('saves an archive that podman loads with its names', async () => {
    await temporary.store.load(streamed(ociArchive([busybox, other])));
    await temporary.store.tag('team/app:1', 'host:5000/more:x');
    await saved('team/app', 'host:5000/more:x', 'team/other:2');
    podman('load', '-q', '-i', 'saved.tar');
    const names = podman('images', '--format', '{{.Repository}}:{{.Tag}}')
      .trim()
      .split('\n')
      .sort();
    expect(names).toEqual(['docker.io/team/app:1', 'docker.io/team/other:2', 'host:5000/more:x']);
    const cmd = podman('image', 'inspect', 'team/other:2', '--format', '{{json .Config.Cmd}}');
    expect(JSON.parse(cmd)).toEqual(['/other']);
  });

  it('saves an archive that skopeo copies in either format with the same digest', async () => {
    await temporary.store.load(streamed(ociArchive([busybox])));
    await saved('team/app:1');
    const digest = (source: string): string =>
      run('skopeo', 'inspect', '--format', '{{.Digest}}', source).trim();
    expect(digest('oci-archive:saved.tar')).toBe(busybox.manifest.digest);
    expect(digest('oci-archive:saved.tar:1')).toBe(busybox.manifest.digest);
    run('skopeo', 'copy', '-q', 'oci-archive:saved.tar', 'oci:copied:it');
    run('skopeo', 'copy', '-q', 'docker-archive:saved.tar', 'oci:copied:again');
    run('skopeo', 'copy', '-q', 'docker-archive:saved.tar:docker.io/team/app:1', 'dir:third');
  });

  it('saves an OCI layout that umoci unpacks', async () => {
    await temporary.store.load(streamed(ociArchive([busybox, other])));
    const path = await saved('team/app:1', 'team/other:2');
    mkdirSync(join(root, 'layout'));
    run('tar', '-xf', path, '-C', 'layout');
    run('umoci', 'unpack', '--rootless', '--image', 'layout:2', 'bundle');
    expect(readFileSync(join(root, 'bundle/rootfs/other'), 'utf8')).toBe('other');
  });

  it('saves index and signatures in an archive that podman and skopeo accept', async () => {
    const { subject, index } = await ingestSigned();
    await saved('team/app:1');
    podman('load', '-q', '-i', 'saved.tar');
    expect(podman('images', '--format', '{{.Repository}}:{{.Tag}}').trim()).toBe(
      'docker.io/team/app:1',
    );
    run('skopeo', 'copy', '-q', 'oci-archive:saved.tar:1', 'oci:copied:it');
    run('skopeo', 'copy', '-q', 'docker-archive:saved.tar', 'oci:copied:again');
    const signature = `sha256-${subject.slice(7)}.sig`;
    const raw = run('skopeo', 'inspect', '--raw', `oci-archive:saved.tar:${signature}`);
    expect(JSON.parse(raw)).toMatchObject({
      layers: [{ mediaType: expect.stringContaining('simplesigning') }],
    });

    const elsewhere = await temporaryStore();
    try {
      const [image] = await elsewhere.store.load(streamed(readFileSync(join(root, 'saved.tar'))));
      expect(image).toMatchObject({ manifestDigest: subject, indexDigests: [index] });
      expect(await elsewhere.store.attachments([subject, index])).toEqual(
        await temporary.store.attachments([subject, index]),
      );
    } finally {
      elsewhere.remove();
    }
  });

  it('loads and saves the signature in an archive that cosign saved', async () => {
    const registry = await startRegistry();
    try {
      const name = `${registry.host}/team/app`;
      const env = { ...process.env, COSIGN_PASSWORD: '', HOME: root };
      const cosign = (...args: string[]): void => {
        execFileSync('cosign', args, { cwd: root, env, stdio: 'pipe' });
      };
      writeOciLayout(join(root, 'layout'), [busybox]);
      const from = `oci:layout:${busybox.name}`;
      run('skopeo', 'copy', '-q', '--dest-tls-verify=false', from, `docker://${name}:1`);
      cosign('generate-key-pair');
      const pinned = `${name}@${busybox.manifest.digest}`;
      const offline = ['--allow-http-registry', '--tlog-upload=false'];
      cosign('sign', '-y', '--key', 'cosign.key', ...offline, pinned);
      cosign('save', '--allow-http-registry', '--dir', 'signed', `${name}:1`);

      const [image] = await temporary.store.loadDirectory(join(root, 'signed'));
      expect(image).toMatchObject({ manifestDigest: busybox.manifest.digest, tags: [] });
      const [signature, ...others] = await temporary.store.attachments([
        busybox.manifest.digest as Digest,
      ]);
      expect(others).toEqual([]);
      expect(`${signature?.manifest}`).toContain('dev.cosignproject.cosign/signature');

      await temporary.store.tag(image?.id ?? '', 'team/app:1');
      await saved('team/app:1');
      await temporary.store.prune(EVERYTHING);
      await temporary.store.load(streamed(readFileSync(join(root, 'saved.tar'))));
      expect(await temporary.store.attachments([busybox.manifest.digest as Digest])).toEqual([
        signature,
      ]);
    } finally {
      await registry.stop();
    }
  });
});
