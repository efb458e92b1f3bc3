import { fork } from 'node:child_process';
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build as bundle } from 'esbuild';
import { afterAll, afterEach, beforeAll, beforeEach, expect, it } from 'vitest';
import { openDatabase } from '../state/database.ts';
import { migrations } from './catalog/catalog-migrations.ts';
import type { ImageStore } from './image.ts';
import { openImageStore } from './store.ts';
import { buildImage, ociArchive } from './testing/build-image.ts';
import { convertHere } from './testing/convert-here.ts';
import { pulledAttachment } from './testing/crash-image.ts';
import { treeBytes } from './verity/hash-tree.ts';

let programs: string;
beforeAll(async () => {
  // Below the sources, so that modules which are not bundled resolve.
  const build = fileURLToPath(new URL('../../build/', import.meta.url));
  mkdirSync(build, { recursive: true });
  programs = mkdtempSync(join(build, 'crash-'));
  // Each program runs many times; bundling avoids compiling it each time.
  await bundle({
    entryPoints: [
      fileURLToPath(new URL('testing/crash-load.ts', import.meta.url)),
      fileURLToPath(new URL('testing/crash-pull.ts', import.meta.url)),
      fileURLToPath(new URL('testing/crash-extend.ts', import.meta.url)),
    ],
    outdir: programs,
    outExtension: { '.js': '.mjs' },
    bundle: true,
    packages: 'external',
    platform: 'node',
    target: 'node20',
    format: 'esm',
    logLevel: 'error',
  });
});
afterAll(() => rmSync(programs, { recursive: true, force: true }));

let root: string;
beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'a3s-crash-'));
});
afterEach(() => rmSync(root, { recursive: true, force: true }));

const images = ['one:1', 'two:1'].map((name) =>
  buildImage({
    name,
    layers: [
      [{ path: 'shared', data: 'x' }],
      [{ path: name, data: Buffer.alloc(3_000_000, name) }],
    ],
    compression: 'none',
  }),
);

/** Runs another process and kills it after `moment` events in the directory of the store. */
async function killed(program: string, moment: number): Promise<boolean> {
  const child = fork(join(programs, program), [root, join(root, 'archive.tar')], {
    execArgv: [],
    stdio: 'inherit',
  });
  const ended = once(child, 'exit');
  await once(child, 'message');
  let events = 0;
  // One watcher per directory: Node's recursive watcher throws when a directory vanishes.
  const watchers = ['.', 'staging', 'blobs/sha256', 'erofs'].map((directory) =>
    watch(join(root, 'images', directory), () => {
      events += 1;
      if (events === moment) child.kill('SIGKILL');
    }),
  );
  const [code] = await ended;
  for (const watcher of watchers) watcher.close();
  return code === 0;
}

async function openStore() {
  const database = openDatabase(join(root, 'state.db'), migrations);
  const store = await openImageStore({
    directory: join(root, 'images'),
    database,
    converter: convertHere,
  });
  return { database, store };
}

/** Kills the process at ever later moments, until it completes first. */
async function atEveryMoment(
  program: string,
  check: (store: ImageStore, finished: boolean) => Promise<void>,
): Promise<void> {
  let finished = false;
  for (let moment = 1; !finished; moment = Math.ceil(moment * 1.3)) {
    finished = await killed(program, moment);
    const { database, store } = await openStore();
    expect(readdirSync(join(root, 'images/staging'))).toEqual([]);
    await check(store, finished);
    for (const image of await store.list()) {
      await store.remove(image.id, { force: true, inUse: () => false });
    }
    expect(readdirSync(join(root, 'images/blobs/sha256'))).toEqual([]);
    expect(readdirSync(join(root, 'images/erofs'))).toEqual([]);
    database.close();
  }
}

it('keeps the store whole after kill -9 at any moment of a load', {
  timeout: 120_000,
}, async () => {
  writeFileSync(join(root, 'archive.tar'), ociArchive(images));
  const trees = new Map<string, unknown>();
  await atEveryMoment('crash-load.mjs', async (store, finished) => {
    const listed = await store.list();
    // The store has every image of the archive or none.
    expect([0, images.length]).toContain(listed.length);
    if (finished) expect(listed).toHaveLength(images.length);
    for (const image of listed) {
      expect(await store.bootLayers(image)).toHaveLength(2);
      const layers = await store.verityLayers(image);
      expect(layers).toEqual(trees.get(image.id) ?? layers);
      trees.set(image.id, layers);
      for (const { path, bytes } of layers) {
        expect(statSync(path)).toMatchObject({ mode: 0o100400, size: bytes + treeBytes(bytes) });
      }
    }
  });
});

it('keeps the store whole after kill -9 at any moment of a commit', {
  timeout: 120_000,
}, async () => {
  writeFileSync(join(root, 'archive.tar'), ociArchive(images.slice(0, 1)));
  await atEveryMoment('crash-extend.mjs', async (store, finished) => {
    const names = (await store.list()).flatMap(({ tags }) => tags).sort();
    // The parent was there before; the image that is made of it is there as a whole or not at all.
    expect(finished ? [['child:1', 'one:1']] : [['one:1'], ['child:1', 'one:1']]).toContainEqual(
      names,
    );
    for (const image of await store.list()) {
      expect(await store.bootLayers(image)).toHaveLength(image.tags[0] === 'child:1' ? 3 : 2);
    }
    const blobs = readdirSync(join(root, 'images/blobs/sha256'));
    expect(blobs).toHaveLength(names.length === 2 ? 7 : 4);
  });
});

it('keeps the store whole after kill -9 at any moment of a pull', {
  timeout: 120_000,
}, async () => {
  await atEveryMoment('crash-pull.mjs', async (store, finished) => {
    const listed = await store.list();
    if (finished) expect(listed).toHaveLength(1);
    if (listed.length === 0) expect(readdirSync(join(root, 'images/blobs/sha256'))).toEqual([]);
    for (const image of listed) {
      expect(image.tags).toEqual(['pulled:1']);
      expect(await store.bootLayers(image)).toHaveLength(3);
      expect(await store.attachments([image.manifestDigest])).toEqual([pulledAttachment()]);
      await store.content(image, async ({ blobs }) => {
        for (const { digest, open } of blobs) {
          const hash = createHash('sha256');
          for await (const chunk of open(0)) hash.update(chunk);
          expect(`sha256:${hash.digest('hex')}`).toBe(digest);
        }
      });
    }
  });
});
