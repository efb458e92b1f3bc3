import { execFileSync } from 'node:child_process';
import { createWriteStream, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildImage, ociArchive } from '../testing/build-image.ts';
import { streamed } from '../testing/streams.ts';
import { writeTar } from '../testing/tar-writer.ts';
import { type TemporaryStore, temporaryStore } from '../testing/temporary-store.ts';

let temporary: TemporaryStore;
let root: string;
beforeEach(async () => {
  temporary = await temporaryStore();
  root = temporary.root;
});
afterEach(() => temporary.remove());

const PARENT = buildImage({
  name: 'docker.io/team/parent:1',
  layers: [
    [
      { path: 'etc', type: 'directory' },
      { path: 'etc/old', data: 'old' },
      { path: 'again', type: 'directory' },
      { path: 'again/hidden', data: 'hidden' },
    ],
  ],
  history: [{ created: '2020-01-01T00:00:00Z', created_by: 'ADD' }],
});
/** As the agent writes it. */
const LAYER = writeTar([
  { path: './', type: 'directory', mode: 0o755 },
  { path: 'again/', type: 'directory' },
  { path: 'again/.wh..wh..opq', mode: 0o600, data: '' },
  { path: 'again/shown', data: 'shown' },
  { path: 'etc/', type: 'directory' },
  { path: 'etc/.wh.old', mode: 0o600, data: '' },
  { path: 'etc/new', mode: 0o640, data: 'new' },
  { path: 'etc/same', type: 'hardlink', target: 'etc/new' },
]);

function run(program: string, ...args: string[]): string {
  return execFileSync(program, args, { cwd: root, stdio: ['ignore', 'pipe', 'pipe'] }).toString();
}

async function saveExtended(): Promise<string> {
  await temporary.store.load(streamed(ociArchive([PARENT])));
  const parent = await temporary.store.resolve('team/parent:1');
  await temporary.store.extend(parent, streamed(LAYER), {
    ...{ name: 'team/child:1', config: { Cmd: ['/child'] }, author: 'me', message: 'why' },
    ...{ createdBy: 'sh -c work', created: '2026-01-01T00:00:00Z' },
  });
  const path = join(root, 'saved.tar');
  await pipeline(await temporary.store.save(['team/child:1']), createWriteStream(path));
  return path;
}

describe('an image that extends another one', () => {
  it('podman loads an extended image, and skopeo copies it in either format', async () => {
    await saveExtended();
    const podman = (...args: string[]): string =>
      run('podman', ...['--root', join(root, 'p'), '--runroot', join(root, 'r')], ...args);
    podman('--storage-driver=vfs', 'load', '-q', '-i', 'saved.tar');
    const shown = podman('--storage-driver=vfs', 'history', '--format', 'json', 'team/child:1');
    expect(JSON.parse(shown)).toMatchObject([
      { CreatedBy: 'sh -c work', comment: 'why' },
      { CreatedBy: 'ADD' },
    ]);
    run('skopeo', 'copy', '-q', 'oci-archive:saved.tar:1', 'oci:copied:it');
    run('skopeo', 'copy', '-q', 'docker-archive:saved.tar', 'oci:copied:again');
    const config = JSON.parse(run('skopeo', 'inspect', '--config', 'oci:copied:again'));
    expect(config).toMatchObject({ author: 'me', config: { Cmd: ['/child'] } });
    expect(config.rootfs.diff_ids).toHaveLength(2);
    expect(config.history).toHaveLength(2);
  });

  it('umoci unpacks an extended image into the files of the box', async () => {
    const path = await saveExtended();
    mkdirSync(join(root, 'layout'));
    run('tar', '-xf', path, '-C', 'layout');
    run('umoci', 'unpack', '--rootless', '--image', 'layout:1', 'bundle');
    const file = (name: string): string => join(root, 'bundle/rootfs', name);
    expect(readFileSync(file('etc/new'), 'utf8')).toBe('new');
    expect(statSync(file('etc/same')).ino).toBe(statSync(file('etc/new')).ino);
    expect(statSync(file('etc/new')).mode & 0o777).toBe(0o640);
    const left = ['etc/old', 'again/hidden', 'again/shown'].filter((name) =>
      existsSync(file(name)),
    );
    expect(left).toEqual(['again/shown']);
  });
});
