import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  truncateSync,
  writeFileSync,
  writeSync,
} from 'node:fs';
import { get, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { chainIds } from '../../../images/chain-ids.ts';
import { buildImage, ociArchive } from '../../../images/testing/build-image.ts';
import { MemorySource } from '../../../images/testing/memory-source.ts';
import { multiArchImage } from '../../../images/testing/signed-image.ts';
import { streamed } from '../../../images/testing/streams.ts';
import { writeTar } from '../../../images/testing/tar-writer.ts';
import { temporaryStore } from '../../../images/testing/temporary-store.ts';
import type { Digest } from '../../../oci/digest.ts';
import { type DockerResult, docker } from '../../testing/docker.ts';
import { TestHome } from '../../testing/home.ts';

const temporary = await temporaryStore();
const NO_BUILDER = 'Cannot build: this installation has no image of a builder';
const home = new TestHome(temporary.store);
beforeAll(async () => {
  await home.start();
});
afterAll(async () => {
  await home.remove();
  temporary.remove();
});

const run = (args: readonly string[], input?: string | Uint8Array): Promise<DockerResult> =>
  docker(home.config.socket, args, input);

const base = [{ path: 'base', data: Buffer.alloc(200_000, 'x') }];
const app = buildImage({
  name: 'docker.io/team/app:1',
  layers: [base, [{ path: 'bin/app', data: 'app' }]],
  config: { Cmd: ['app'] },
  compression: 'none',
});
const tool = buildImage({
  name: 'docker.io/team/tool:1',
  layers: [base, [{ path: 'bin/tool', data: 'tool' }]],
  config: { Labels: { kind: 'tool' } },
  compression: 'none',
});
const later = buildImage({
  name: 'docker.io/team/later:1',
  created: '2026-01-01T00:00:00Z',
  layers: [base],
});
const index = multiArchImage(app);

const BASE = { name: 'x:1', manifest: 'sha256:1', verdict: 'unsigned', reason: 'y', policy: 'z' };

/** Replaces all images by the same two, at the start of a test. */
async function twoImages(): Promise<void> {
  await home.call('POST', `/images/prune?filters=${encodeURIComponent('{"dangling":["false"]}')}`);
  await temporary.store.ingest({
    manifest: index.documents.manifest,
    indexes: [index.documents.index],
    blob: ({ digest }) => streamed(app.blobs.get(digest) ?? expect.fail()),
    names: ['docker.io/team/app:1'],
    repoDigest: { repository: 'docker.io/team/app', digest: index.index },
    origin: { kind: 'pull', at: '2026-01-01T00:00:00Z' },
  });
  await temporary.store.ingest(
    new MemorySource(tool, {
      names: ['docker.io/team/tool:1'],
      origin: {
        kind: 'build',
        reference: 'team/tool:1',
        at: '2026-01-01T00:00:00Z',
        bases: [BASE],
      },
    }),
  );
  await temporary.store.load(streamed(ociArchive([tool])));
}

const lines = ({ stdout }: DockerResult): string[] => stdout.trim().split('\n');

describe('docker', () => {
  it('docker tags images, and shows the digests of pulled ones', async () => {
    await twoImages();
    expect(await run(['tag', 'team/app:1', 'host:5000/app:x'])).toMatchObject({ code: 0 });
    const { stdout } = await run([
      ...['images', '--digests', '--format', '{{.Repository}} {{.Tag}} {{.Digest}}'],
    ]);
    expect(stdout).toContain(`team/app 1 ${index.index}\n`);
    expect(stdout).toContain('host:5000/app x <none>\n');
    const inspected = await run([
      ...['image', 'inspect', 'team/app:1', '--format', '{{json .RepoDigests}}'],
    ]);
    expect(JSON.parse(inspected.stdout)).toEqual([`team/app@${index.index}`]);
    const pulled = await home.call('GET', '/images/team/app:1/json');
    const loaded = await home.call('GET', '/images/team/tool:1/json');
    expect([pulled.body, loaded.body]).toMatchObject([
      { Origins: [{ Kind: 'pull', Reference: '', At: '2026-01-01T00:00:00Z' }] },
      {
        Origins: [
          { Kind: 'load', Reference: 'team/tool:1', Bases: [] },
          {
            ...{ Kind: 'build', Reference: 'team/tool:1' },
            Bases: [
              {
                ...{ Name: 'x:1', Manifest: 'sha256:1', Verdict: 'unsigned', Reason: 'y' },
                Policy: 'z',
              },
            ],
          },
        ],
      },
    ]);
    for (const target of ['UPPER', `x@sha256:${'1'.repeat(64)}`, '1'.repeat(64), 'sha256:abcd']) {
      expect(await run(['tag', 'team/app:1', target])).toMatchObject({ code: 1 });
    }
    expect((await run(['tag', 'nope', 'x'])).stderr).toContain('No such image: nope');
  });

  it('docker lists images made before or after others', async () => {
    await twoImages();
    const listed = async (filter: string): Promise<string[]> =>
      lines(await run(['images', '--filter', filter, '--format', '{{.Repository}}'])).sort();
    await temporary.store.load(streamed(ociArchive([later])));
    expect(await listed('before=team/later:1')).toEqual(['team/app', 'team/tool']);
    expect(await listed('since=team/app:1')).toEqual(['team/later']);
    expect(await listed('since=team/later:1')).toEqual(['']);
    expect((await run(['images', '--filter', 'since=nope'])).stderr).toContain(
      'No such image: nope',
    );
  });

  it('docker shows the history of an image', async () => {
    await twoImages();
    const { stdout } = await run([
      ...['history', '--no-trunc', '--human=false', 'team/app:1'],
      ...['--format', '{{.ID}} {{.Size}}'],
    ]);
    const sizes = app.layers.map(({ size }) => size);
    expect(stdout).toBe(`${app.config.digest} ${sizes[1]}\n<missing> ${sizes[0]}\n`);
    expect((await run(['history', 'nope'])).stderr).toContain('No such image');
  });

  it('docker saves images, and loads them again', async () => {
    await twoImages();
    const path = join(temporary.root, 'saved.tar');
    expect(await run(['save', '-o', path, 'team/app:1', 'team/tool:1'])).toMatchObject({ code: 0 });
    const streamedOut = await run(['save', 'team/tool:1']);
    expect(streamedOut.code).toBe(0);
    await run(['image', 'prune', '-af']);
    const loaded = await run(['load', '-i', path]);
    expect(lines(loaded).filter((line) => line.startsWith('Loaded'))).toEqual([
      'Loaded image: team/app:1',
      'Loaded image: team/tool:1',
    ]);
    const { indexDigests } = await temporary.store.resolve('team/app:1');
    expect(indexDigests).toEqual([index.index]);
    expect((await run(['load'], streamedOut.bytes)).stdout).toContain('Loaded image: team/tool:1');
    expect(await run(['save', 'nope'])).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('No such image: nope'),
    });
  });

  it('docker save fails on a damaged store, and writes no complete archive', async () => {
    await twoImages();
    const digest = tool.layers[1]?.digest ?? '';
    const blob = join(temporary.root, 'images/blobs/sha256', digest.slice(7));
    const bytes = readFileSync(blob);
    const path = join(temporary.root, 'broken.tar');
    rmSync(blob);
    writeFileSync(blob, Buffer.alloc(bytes.length));
    // The web server also prints the error to standard error.
    const said = vi.spyOn(console, 'error').mockImplementation(() => undefined);
    const broken = await run(['save', '-o', path, 'team/tool:1']);
    said.mockRestore();
    expect(broken.code).toBe(1);
    expect(() => readFileSync(path)).toThrow('ENOENT');
    expect(readFileSync(join(home.config.home, 'server.log'), 'utf8')).toContain(
      `Cannot save blob ${digest}`,
    );
    truncateSync(blob, 1);
    expect((await run(['save', 'team/tool:1'])).stderr).toContain('it has 1 bytes instead of');
  });

  it('releases saved blobs when the client of a save disconnects', async () => {
    await twoImages();
    const large = buildImage({
      name: 'docker.io/team/large:1',
      layers: [[{ path: 'large', data: Buffer.alloc(30_000_000, 'x') }]],
      compression: 'none',
    });
    await temporary.store.load(streamed(ociArchive([large])));
    const { socket } = home.config;
    const path = '/images/team/large:1/get';
    const [response] = (await once(get({ socketPath: socket, path }), 'response')) as [
      IncomingMessage,
    ];
    await once(response, 'data');
    await run(['image', 'prune', '-af']);
    expect(await temporary.store.list()).toEqual([]);
    const blobs = (): string[] => readdirSync(join(temporary.root, 'images/blobs/sha256'));
    expect(blobs()).not.toEqual([]);
    response.destroy();
    await expect.poll(blobs).toEqual([]);
  });

  it('docker imports a root filesystem', async () => {
    const tree = writeTar([{ path: 'etc/motd', data: 'hello' }]);
    const changes = ['-c', 'CMD ["/bin/sh"]', '-c', 'ENV A=b', '-c', 'ONBUILD RUN make'];
    const { code, stdout } = await run(
      ['import', ...changes, '-m', 'by hand', '-', 'team/root:1'],
      tree,
    );
    expect(code).toBe(0);
    expect(stdout).toMatch(/^sha256:[0-9a-f]{64}\n$/);
    const inspected = await run([
      'image',
      'inspect',
      'team/root:1',
      '--format',
      '{{json .Config}}',
    ]);
    expect(JSON.parse(inspected.stdout)).toMatchObject({
      ...{ Cmd: ['/bin/sh'], Env: ['A=b'], OnBuild: ['RUN make'] },
    });
    expect((await run(['history', 'team/root:1', '--format', '{{.Comment}}'])).stdout).toBe(
      'by hand\n',
    );
    const refused = await run(['import', '-c', 'RUN x', '-'], tree);
    expect(refused).toMatchObject({
      code: 1,
      stderr: expect.stringContaining('RUN is not a valid change command'),
    });
    const bad = await run(['import', '-'], 'no tar at all');
    expect(bad).toMatchObject({ code: 1, stderr: expect.stringContaining('ends too early') });
    const remote = await run(['import', 'http://127.0.0.1:1/x.tar']);
    expect(remote.stderr).toContain('the server fetches nothing');
  });

  it('docker prunes unused images', async () => {
    await twoImages();
    await run(['create', '--name', 'holder', 'team/app:1', 'app']);
    await run(['rmi', '-f', 'team/app:1']);
    const dangling = await run(['image', 'prune', '-f']);
    expect(dangling.stdout).toBe('Total reclaimed space: 0B\n');
    const labelled = ['image', 'prune', '-af', '--filter'];
    expect((await run([...labelled, 'label=kind=other'])).stdout).not.toContain('Deleted');
    expect((await run([...labelled, 'label!=kind'])).stdout).not.toContain('Deleted');
    expect((await run([...labelled, 'until=1970-01-01T00:00:00Z'])).stdout).not.toContain('Del');
    expect((await run([...labelled, 'until=x'])).stderr).toContain("invalid filter 'until=x'");
    expect((await run([...labelled, 'color=red'])).stderr).toContain('invalid filter');
    const all = await run([...labelled, 'until=24h']);
    expect(all.stdout).toMatch(
      new RegExp(
        `^Deleted Images:\nuntagged: team/tool:1\ndeleted: ${tool.config.digest}\n` +
          `deleted: ${chainIds(tool.diffIds)[1]}\n\nTotal reclaimed space: \\d.*B\n$`,
      ),
    );
    await run(['rm', 'holder']);
    expect((await run(['image', 'prune', '-f'])).stdout).toContain(`deleted: ${app.config.digest}`);
  });

  it('docker shows the disk usage of images and boxes', async () => {
    await twoImages();
    const id = (await run(['run', '-d', 'team/app:1', 'sleep', '9'])).stdout.trim();
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    const sizes = async (): Promise<unknown> =>
      (await home.call('GET', `/containers/${id}/json?size=1`)).body;
    expect(await sizes()).toMatchObject({ SizeRw: 0 });
    const brief = await run(['system', 'df', '--format', '{{.Type}} {{.TotalCount}} {{.Active}}']);
    expect(lines(brief)).toEqual([
      'Images 2 1',
      'Containers 1 1',
      'Local Volumes 0 0',
      'Build Cache 0 0',
    ]);
    expect((await run(['stop', id])).code).toBe(0);
    const disk = join(home.config.home, 'boxes', id, 'changes.ext4');
    // The data lie after the tables of the file system, like those of a guest.
    const file = openSync(disk, 'w');
    writeSync(file, Buffer.alloc(1_000_000, 1), 0, 1_000_000, 64 * 2 ** 20);
    closeSync(file);
    const written = 1_000_000 - 16 * 4096;
    expect(await sizes()).toMatchObject({ SizeRw: written });
    const { body } = await home.call('GET', '/system/df');
    const { LayersSize, Images, Containers } = body as {
      LayersSize: number;
      Images: { Size: number; SharedSize: number; Containers: number }[];
      Containers: { SizeRw: number; SizeRootFs: number }[];
    };
    const [first, second] = Images;
    if (first === undefined || second === undefined) expect.fail();
    expect(first.SharedSize).toBeGreaterThan(200_000);
    expect(LayersSize).toBe(first.Size + second.Size - first.SharedSize);
    expect(Containers).toMatchObject([{ SizeRw: written }]);
    const table = await run(['system', 'df', '-v']);
    expect(table).toMatchObject({ code: 0, stderr: '' });
    expect(table.stdout).toContain('SHARED SIZE');
    const only = await home.call('GET', '/system/df?type=volume');
    expect(only.body).toEqual({ Volumes: [] });
    const listed = await home.call('GET', '/images/json?shared-size=1');
    expect(listed.body).toMatchObject([
      { SharedSize: app.layers[0]?.size },
      { SharedSize: app.layers[0]?.size },
    ]);
    await run(['rm', '-f', id]);
  });

  it('docker build is refused where there is no builder, however large its context is', async () => {
    const context = writeTar([
      { path: 'Dockerfile', data: 'FROM scratch\nCOPY x /\n' },
      { path: 'x', data: Buffer.alloc(8_000_000, 'x') },
    ]);
    const args = ['build', '-'];
    const built = await docker(home.config.socket, args, context, { DOCKER_BUILDKIT: '0' });
    expect(built).toMatchObject({
      code: 1,
      stderr: expect.stringContaining(NO_BUILDER),
    });
  });

  it('docker build with BuildKit is refused in one line, and pulls no builder of its own', async () => {
    const context = writeTar([{ path: 'Dockerfile', data: 'FROM scratch\n' }]);
    const env = { DOCKER_BUILDKIT: '1' };
    const built = await docker(home.config.socket, ['build', '-'], context, env);
    expect(built.code).toBe(1);
    expect(built.stderr).toMatch(new RegExp(`^ERROR: .*${NO_BUILDER}`, 'm'));
    expect(built.stderr).not.toContain('moby/buildkit');
  });

  it.each([[['search', 'busybox'], 'Cannot search for images']])(
    'docker %j is refused by name',
    async (args, message) => {
      expect(await run(args)).toMatchObject({ code: 1, stderr: expect.stringContaining(message) });
    },
  );
});

it('saves an image as a tar archive with an OCI layout', async () => {
  await twoImages();
  const { bytes } = await run(['save', 'team/app:1']);
  const names = execFileSync('tar', ['-tf', '-'], { input: bytes }).toString();
  expect(names).toContain('oci-layout\nindex.json\nmanifest.json\n');
  const digest = app.manifest.digest as Digest;
  expect(names).toContain(`blobs/sha256/${digest.slice(7)}\n`);
});
