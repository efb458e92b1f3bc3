import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openDatabase } from '../../state/database.ts';
import { openImageStore } from '../store.ts';
import { type BuiltImage, buildImage, ociArchive } from '../testing/build-image.ts';
import { convertHere } from '../testing/convert-here.ts';
import { MemorySource } from '../testing/memory-source.ts';
import { streamed } from '../testing/streams.ts';
import { migrations } from './catalog-migrations.ts';

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-catalog-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const imageOf = (name: string, text: string): BuiltImage =>
  buildImage({ name, layers: [[{ path: 'file', data: text }]] });
const inUse = () => false;

async function open(file: string) {
  const database = openDatabase(join(root, file), migrations);
  const directory = join(root, 'images');
  const removed: string[] = [];
  const onNameRemoved = (name: string): number => removed.push(name);
  const options = { directory, database, converter: convertHere, onNameRemoved };
  return { database, removed, store: await openImageStore(options) };
}

describe('a home with a name that was taken before', () => {
  it('keeps an image whose name another image has taken, under its id and its other names', async () => {
    const image = imageOf('app:1', 'a');
    const { store, database } = await open('names.db');
    const [{ id = '' } = {}] = await store.load(streamed(ociArchive([image])));
    const { manifest } = database.prepare('SELECT manifest FROM image_names').get() as {
      manifest: string;
    };
    database.prepare('INSERT INTO image_names VALUES (?, ?)').run('host:05000/x:1', manifest);
    database
      .prepare('INSERT INTO image_repo_digests VALUES (?, ?, ?)')
      .run('host:05000/x', manifest, manifest);
    await expect(store.list()).rejects.toMatchObject({ code: 'invalid-reference' });
    database.close();
    const again = await open('names.db');
    expect(await again.store.list()).toMatchObject([{ id, tags: ['app:1'], repoDigests: [] }]);
    expect(again.removed).toEqual(['host:05000/x:1', `host:05000/x@${manifest}`]);
    again.database.close();
    const third = await open('names.db');
    expect(third.removed).toEqual([]);
    third.database.close();
  });
});

describe('a home of the former schema', () => {
  it('migrates images, names and disks from the former database schema', async () => {
    const [tagged, nameless] = [imageOf('app:1', 'a'), imageOf('app:2', 'b')];
    const now = await open('new.db');
    await now.store.load(streamed(ociArchive([tagged, { ...tagged, name: 'host:5000/x:2' }])));
    await now.store.load(streamed(ociArchive([{ ...nameless, name: undefined }])));
    const rows = now.database.prepare('SELECT digest, image_id, record FROM image_manifests').all();
    now.database.close();

    // The tables that version 1 of the catalog had.
    const former = openDatabase(join(root, 'old.db'), migrations.slice(0, 1));
    for (const row of rows) {
      former
        .prepare('INSERT INTO image_images VALUES (@image_id, @digest, @record)')
        .run(row as Record<string, unknown>);
    }
    for (const name of ['docker.io/library/app:1', 'host:5000/x:2']) {
      former.prepare('INSERT INTO image_tags VALUES (?, ?)').run(name, tagged.config.digest);
    }
    former.close();

    const { store, database } = await open('old.db');
    const images = await store.list();
    expect(images.map(({ id }) => id).sort()).toEqual(
      [tagged.config.digest, nameless.config.digest].sort(),
    );
    const image = await store.resolve('app:1');
    expect(image).toMatchObject({
      id: tagged.config.digest,
      manifestDigest: tagged.manifest.digest,
      tags: ['app:1', 'host:5000/x:2'],
      repoDigests: [],
      indexDigests: [],
      origins: [],
    });
    for (const each of images) expect(await store.bootLayers(each)).toHaveLength(1);
    expect((await store.resolve(`app@${tagged.manifest.digest}`)).id).toBe(image.id);
    await store.remove(image.id, { force: true, inUse });
    await store.remove(nameless.config.digest, { force: true, inUse });
    expect(await store.list()).toEqual([]);
    database.close();
  });
});

describe('an image with names in several repositories', () => {
  const built = imageOf('app:1', 'a');
  const digest = built.manifest.digest;
  const pulled = (repository: string, ...tags: string[]) =>
    Object.assign(
      new MemorySource(built, { names: tags.map((tag) => `docker.io/${repository}:${tag}`) }),
      {},
    );

  it('untags one repository after the other, each digest with the last tag of its repository', async () => {
    const { store, database } = await open('state.db');
    for (const [repository, ...tags] of [
      ['team/a', '1', '2'],
      ['team/b', '1'],
    ]) {
      const source = pulled(repository ?? '', ...tags);
      const repoDigest = {
        repository: `docker.io/${repository}`,
        digest: source.manifest.digest,
      };
      await store.ingest(Object.assign(source, { repoDigest }));
    }
    expect((await store.resolve('team/a:1')).repoDigests).toEqual([
      `team/a@${digest}`,
      `team/b@${digest}`,
    ]);
    const remove = (name: string) => store.remove(name, { force: false, inUse });
    await expect(remove(built.config.digest)).rejects.toMatchObject({ code: 'conflict' });
    expect(await remove('team/a:1')).toEqual({ untagged: ['team/a:1'], deleted: [], layers: [] });
    expect(await remove('team/a:2')).toEqual({
      untagged: ['team/a:2', `team/a@${digest}`],
      deleted: [],
      layers: [],
    });
    expect(await remove(`team/b@${digest}`)).toEqual({
      untagged: [`team/b@${digest}`],
      deleted: [],
      layers: [],
    });
    expect(await remove('team/b:1')).toEqual({
      untagged: ['team/b:1'],
      deleted: [built.config.digest],
      layers: built.diffIds,
    });
    database.close();
  });

  it('removes an image by its id when its names are tag and digest of one repository', async () => {
    const { store, database } = await open('state.db');
    const source = pulled('team/a', '1');
    const repoDigest = { repository: 'docker.io/team/a', digest: source.manifest.digest };
    const { id } = await store.ingest(Object.assign(source, { repoDigest }));
    expect(await store.remove(id, { force: false, inUse })).toEqual({
      untagged: ['team/a:1', `team/a@${digest}`],
      deleted: [id],
      layers: built.diffIds,
    });
    database.close();
  });
});

describe('tag', () => {
  it('adds a name to a manifest, and refuses malformed names and a missing image', async () => {
    const { store, database } = await open('state.db');
    const first = imageOf('app:1', 'a');
    await store.load(streamed(ociArchive([first])));
    expect((await store.tag('app:1', 'host:5000/team/app')).tags).toEqual([
      'app:1',
      'host:5000/team/app:latest',
    ]);
    expect((await store.resolve('app:1')).origins).toMatchObject([
      { kind: 'load', reference: 'app:1' },
    ]);
    await expect(store.tag('nothing', 'app:2')).rejects.toMatchObject({ code: 'no-such-image' });
    for (const name of [`app@${first.manifest.digest}`, 'sha256:abc', 'App']) {
      await expect(store.tag('app:1', name)).rejects.toMatchObject({ code: 'invalid-reference' });
    }
    database.close();
  });
});
