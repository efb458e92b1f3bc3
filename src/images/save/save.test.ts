import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { buffer } from 'node:stream/consumers';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { Digest } from '../../oci/digest.ts';
import { buildImage, ociArchive } from '../testing/build-image.ts';
import { multiArchImage, signatureOf } from '../testing/signed-image.ts';
import { streamed } from '../testing/streams.ts';
import { type TemporaryStore, temporaryStore } from '../testing/temporary-store.ts';

let temporary: TemporaryStore;
beforeEach(async () => {
  temporary = await temporaryStore();
});
afterEach(() => temporary.remove());

const shared = [{ path: 'shared', data: 'x'.repeat(5000) }];
const one = buildImage({
  name: 'docker.io/team/app:1',
  layers: [shared, [{ path: 'one', data: '1' }]],
  compression: 'none',
});
const two = buildImage({
  name: 'docker.io/team/app:2',
  layers: [shared, [{ path: 'two', data: '2' }]],
  compression: 'none',
});

async function load(...images: Parameters<typeof ociArchive>[0]): Promise<void> {
  await temporary.store.load(streamed(ociArchive(images)));
}

const save = async (...references: string[]): Promise<Buffer> =>
  await buffer(await temporary.store.save(references));

/** The archive's files by name, as GNU tar reads them. */
function filesOf(archive: Buffer): Map<string, Buffer> {
  const tar = (...args: string[]): Buffer =>
    execFileSync('tar', args, { input: archive, maxBuffer: 1 << 28 });
  const names = tar('-tf', '-').toString().trim().split('\n');
  return new Map(names.map((name) => [name, tar('-xOf', '-', name)]));
}

const json = (bytes: Buffer | undefined) => JSON.parse(`${bytes}`);

const blobFile = (digest: string): string =>
  join(temporary.root, 'images/blobs/sha256', digest.slice(7));

describe('an archive', () => {
  it('writes every blob of an archive once, however many images share it, and both kinds of index', async () => {
    await load(one, two);
    const files = filesOf(await save('team/app:1', 'team/app:2'));
    const blobs = [...files.keys()].filter((name) => /^blobs\/sha256\/./.test(name));
    expect(new Set(blobs).size).toBe(blobs.length);
    expect(blobs).toHaveLength(7);
    expect(json(files.get('manifest.json'))).toMatchObject([
      { RepoTags: ['docker.io/team/app:1'], Layers: [expect.any(String), expect.any(String)] },
      { RepoTags: ['docker.io/team/app:2'] },
    ]);
    expect(json(files.get('index.json')).manifests).toMatchObject([
      {
        digest: one.manifest.digest,
        annotations: {
          'io.containerd.image.name': 'docker.io/team/app:1',
          'org.opencontainers.image.ref.name': '1',
        },
      },
      { digest: two.manifest.digest },
    ]);
  });

  it('writes the same archive each time, however the blobs were stored', async () => {
    await load(one, two);
    const first = await save('team/app:1');
    expect((await save('team/app:1')).equals(first)).toBe(true);
    const again = await temporaryStore();
    try {
      await again.store.load(streamed(first));
      const second = await buffer(await again.store.save(['team/app:1']));
      expect(second.equals(first)).toBe(true);
    } finally {
      again.remove();
    }
  });

  it('saves a name, all names of a repository, or an id without a name', async () => {
    await load(one, two);
    await temporary.store.tag('team/app:1', 'other:x');
    const tags = async (...references: string[]) =>
      json(filesOf(await save(...references)).get('manifest.json')).map(
        ({ RepoTags }: { RepoTags: unknown }) => RepoTags,
      );
    expect(await tags('team/app:1')).toEqual([['docker.io/team/app:1']]);
    expect(await tags('team/app')).toEqual([['docker.io/team/app:1'], ['docker.io/team/app:2']]);
    expect(await tags(one.config.digest)).toEqual([null]);
    expect(await tags(one.config.digest.slice(7, 20), 'other:x', 'team/app:1')).toEqual([
      ['docker.io/library/other:x', 'docker.io/team/app:1'],
    ]);
  });

  it('saves an index whose other images are missing, and the attachments', async () => {
    const { index, documents } = multiArchImage(one);
    const subject = one.manifest.digest as Digest;
    await temporary.store.ingest({
      manifest: documents.manifest,
      indexes: [documents.index],
      blob: ({ digest }) => streamed(one.blobs.get(digest) ?? expect.fail()),
      names: ['docker.io/team/app:1'],
      repoDigest: { repository: 'docker.io/team/app', digest: index },
      origin: { kind: 'pull', at: '2026-01-01T00:00:00Z' },
      attachments: [signatureOf(subject), signatureOf(index, 'att')],
    });
    const { manifests } = json(filesOf(await save('team/app:1')).get('index.json'));
    expect(manifests).toMatchObject([
      { digest: index, annotations: { 'io.containerd.image.name': 'docker.io/team/app:1' } },
      {
        annotations: {
          'org.opencontainers.image.ref.name': `sha256-${subject.slice(7)}.sig`,
        },
      },
      { annotations: { 'org.opencontainers.image.ref.name': `sha256-${index.slice(7)}.att` } },
    ]);
  });
});

describe('an incomplete archive', () => {
  it('refuses to save before the first byte when an image or a file is missing', async () => {
    await expect(save('team/app:1')).rejects.toMatchObject({ code: 'no-such-image' });
    await expect(save()).rejects.toMatchObject({ code: 'invalid-argument' });
    await load(one);
    await expect(save('team/app:1', 'nope')).rejects.toMatchObject({ code: 'no-such-image' });
    const path = blobFile(one.layers[1]?.digest ?? '');
    const bytes = readFileSync(path);
    rmSync(path);
    writeFileSync(path, bytes.subarray(1));
    await expect(temporary.store.save(['team/app:1'])).rejects.toThrow(/bytes instead of/);
    rmSync(path);
    await expect(temporary.store.save(['team/app:1'])).rejects.toMatchObject({
      code: 'invalid-image',
      message: expect.stringContaining('it is missing'),
      remedy: expect.stringContaining('load or pull it again'),
    });
  });

  it.each(['manifest', 'config'] as const)(
    'refuses to save an image with a changed %s',
    async (which) => {
      await load(one);
      const path = blobFile(one[which].digest);
      const bytes = readFileSync(path);
      rmSync(path);
      writeFileSync(path, Buffer.from(bytes.toString().replace('sha256:', 'sha256;')));
      await expect(save('team/app:1')).rejects.toMatchObject({ code: 'invalid-image' });
    },
  );

  it('breaks off an archive at a layer that was changed', async () => {
    await load(one);
    const digest = one.layers[1]?.digest ?? '';
    const path = blobFile(digest);
    const bytes = readFileSync(path);
    bytes[600] = (bytes[600] ?? 0) ^ 1;
    rmSync(path);
    writeFileSync(path, bytes);
    const chunks: Uint8Array[] = [];
    const reading = async (): Promise<void> => {
      for await (const chunk of await temporary.store.save(['team/app:1'])) chunks.push(chunk);
    };
    await expect(reading()).rejects.toThrow(
      new RegExp(`Cannot save blob ${digest}: its content has the digest sha256:`),
    );
    expect(Buffer.concat(chunks).includes(bytes)).toBe(false);
  });

  it('saves an image whole that is removed meanwhile, and deletes its files after that', async () => {
    await load(one);
    const archive = (await temporary.store.save(['team/app:1']))[Symbol.asyncIterator]();
    const chunks = [(await archive.next()).value];
    await temporary.store.remove('team/app:1', { force: false, inUse: () => false });
    expect(readdirSync(join(temporary.root, 'images/blobs/sha256'))).not.toEqual([]);
    for (let next = await archive.next(); next.done !== true; next = await archive.next()) {
      chunks.push(next.value);
    }
    expect(await temporary.remains()).toEqual([]);
    await temporary.store.load(streamed(Buffer.concat(chunks)));
    expect((await temporary.store.resolve('team/app:1')).manifestDigest).toBe(one.manifest.digest);
  });

  it('releases the files of an image when its archive is read in part or not at all', async () => {
    await load(one);
    await temporary.store.save(['team/app:1']);
    for await (const _ of await temporary.store.save(['team/app:1'])) break;
    const late = await temporary.store.save(['team/app:1']);
    await temporary.store.remove('team/app:1', { force: false, inUse: () => false });
    expect(await temporary.remains()).toEqual([]);
    await expect(buffer(late)).rejects.toMatchObject({ code: 'no-such-image' });
  });
});
