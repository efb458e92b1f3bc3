import { execFileSync } from 'node:child_process';
import { createReadStream } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ImageStore } from '../image.ts';
import { buildImage, writeOciLayout } from '../testing/build-image.ts';
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
  ])('loads what skopeo copies to %s %s', async (destination, options) => {
    run('skopeo', 'copy', '-q', ...options, `oci:${layout}:bb`, destination);
    const [image] = await store.load(createReadStream(join(root, 'out.tar')));
    expect(image?.tags).toEqual(['app:1']);
    expect(image?.config.cmd).toEqual(['sh']);
    expect(await store.bootLayers(image ?? expect.fail())).toHaveLength(1);
  });

  it('loads what umoci makes, configuration included', async () => {
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

  it.each(['docker-archive', 'oci-archive'])('loads what podman saves as %s', async (format) => {
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
  });
});
