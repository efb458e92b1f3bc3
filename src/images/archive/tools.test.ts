import { execFileSync } from 'node:child_process';
import { createReadStream, createWriteStream, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { OCI_INDEX } from '../../oci/media-types.ts';
import type { ImageStore } from '../image.ts';
import { buildImage, hostArchitecture, sha256, writeOciLayout } from '../testing/build-image.ts';
import { busyboxImage } from '../testing/busybox-image.ts';
import { type TemporaryStore, temporaryStore } from '../testing/temporary-store.ts';

let root: string;
let layout: string;
let store: ImageStore;
let temporary: TemporaryStore;

beforeEach(async () => {
  temporary = await temporaryStore();
  ({ root, store } = temporary);
  layout = join(root, 'layout');
  writeOciLayout(layout, [{ ...buildImage(busyboxImage()), name: 'bb' }]);
});

afterEach(() => temporary.remove());

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] }).toString();
}

describe('archives of other tools', () => {
  it.each([
    ['docker-archive:out.tar:app:1', []],
    ['oci-archive:out.tar:app:1', []],
    ['oci-archive:out.tar:app:1', ['--dest-compress-format=zstd']],
    ['oci-archive:out.tar:app:1', ['--format=v2s2']],
  ])('loads an archive that skopeo copies to %s %s', async (destination, options) => {
    run('skopeo', 'copy', '-q', ...options, `oci:${layout}:bb`, destination);
    const [image] = await store.load(createReadStream(join(root, 'out.tar')));
    expect(image?.tags).toEqual(['app:1']);
    expect(image?.config.cmd).toEqual(['sh']);
    expect(await store.bootLayers(image ?? expect.fail())).toHaveLength(1);
  });

  it('loads an image that umoci makes, with its configuration', async () => {
    run('umoci', 'new', '--image', `${layout}:fresh`);
    run('umoci', 'insert', '--image', `${layout}:fresh`, join(root, 'layout/oci-layout'), '/etc/x');
    run(
      'umoci',
      'config',
      '--image',
      `${layout}:fresh`,
      '--config.cmd',
      '/x',
      '--config.user',
      '7',
    );
    const images = await store.loadDirectory(layout);
    const fresh = images.find(({ tags }) => tags.includes('fresh:latest'));
    expect(fresh?.config).toMatchObject({ cmd: ['/x'], user: '7' });
    expect(images).toHaveLength(2);
  });

  it.each(['docker-archive', 'oci-archive'])(
    'loads an image that podman saves as %s',
    async (format) => {
      const podman = (...args: string[]) =>
        run('podman', '--root', join(root, 'p'), '--runroot', join(root, 'r'), ...args);
      podman('--storage-driver=vfs', 'pull', '-q', `oci:${layout}:bb`);
      const id = podman('--storage-driver=vfs', 'images', '-q').trim().split('\n')[0] ?? '';
      podman('--storage-driver=vfs', 'tag', id, 'docker.io/team/app:2');
      podman(
        '--storage-driver=vfs',
        'save',
        '-q',
        `--format=${format}`,
        '-o',
        'out.tar',
        'team/app:2',
      );
      const [image] = await store.load(createReadStream(join(root, 'out.tar')));
      expect(image?.tags).toContain('team/app:2');
      expect(image?.config.cmd).toEqual(['sh']);
    },
  );

  it('loads several images that podman saves together, with all their names', async () => {
    const podman = (...args: string[]) =>
      run(
        'podman',
        ...['--root', join(root, 'p'), '--runroot', join(root, 'r'), '--storage-driver=vfs'],
        ...args,
      );
    const second = buildImage({ name: 'other', layers: [[{ path: 'x', data: 'x' }]] });
    writeOciLayout(join(root, 'second'), [second]);
    const bb = podman('pull', '-q', `oci:${layout}:bb`).trim();
    const other = podman('pull', '-q', `oci:${join(root, 'second')}:other`).trim();
    podman('tag', bb, 'docker.io/team/app:1', 'host:5/app:2');
    podman('tag', other, 'docker.io/team/other:1');
    podman(
      ...['save', '-q', '-m', '-o', 'out.tar'],
      ...['team/app:1', 'host:5/app:2', 'team/other:1'],
    );
    const images = await store.load(createReadStream(join(root, 'out.tar')));
    expect(images.map(({ tags }) => tags).sort()).toEqual([
      ['team/app:1', 'host:5/app:2'],
      ['team/other:1'],
    ]);
  });

  it('loads the image of this platform from what skopeo copies with all platforms', async () => {
    const built = [hostArchitecture(), 's390x'].map((architecture) =>
      buildImage({ layers: [[{ path: 'arch', data: architecture }]], architecture }),
    );
    const multi = join(root, 'multi');
    writeOciLayout(multi, built);
    const manifests = built.map(({ manifest }, index) => ({
      ...manifest,
      platform: { os: 'linux', architecture: index === 0 ? hostArchitecture() : 's390x' },
    }));
    const index = Buffer.from(
      JSON.stringify({ schemaVersion: 2, mediaType: OCI_INDEX, manifests }),
    );
    const digest = sha256(index);
    writeFileSync(join(multi, 'blobs/sha256', digest.slice(7)), index);
    const descriptor = { mediaType: OCI_INDEX, digest, size: index.length };
    const annotations = { 'org.opencontainers.image.ref.name': 'all' };
    writeFileSync(
      join(multi, 'index.json'),
      JSON.stringify({ schemaVersion: 2, manifests: [{ ...descriptor, annotations }] }),
    );
    run('skopeo', 'copy', '-q', '--all', `oci:${multi}:all`, 'oci-archive:out.tar:team/app:1');
    const [image, ...others] = await store.load(createReadStream(join(root, 'out.tar')));
    expect(others).toEqual([]);
    expect(image).toMatchObject({
      id: built[0]?.config.digest,
      tags: ['team/app:1'],
      indexDigests: [digest],
    });
    // A save of the image writes an index whose other image is missing.
    const saved = createWriteStream(join(root, 'saved.tar'));
    await pipeline(await store.save(['team/app:1']), saved);
    run('skopeo', 'copy', '-q', 'oci-archive:saved.tar:1', 'docker-archive:again.tar:team/app:3');
    const [again] = await store.load(createReadStream(join(root, 'again.tar')));
    expect(again?.id).toBe(image?.id);
  });
});
