import { fork } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync, watch, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { openDatabase } from '../state/database.ts';
import { migrations } from './catalog.ts';
import { openImageStore } from './store.ts';
import { buildImage, ociArchive } from './testing/build-image.ts';
import { convertHere } from './testing/convert-here.ts';

const PROGRAM = fileURLToPath(new URL('testing/crash-load.ts', import.meta.url));

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

/** Loads in another process, which is killed when so many things have happened in the store's directory. */
async function killedLoad(moment: number): Promise<boolean> {
  const child = fork(PROGRAM, [root, join(root, 'archive.tar')], {
    execArgv: ['--conditions=a3s-source', '--import', 'tsx'],
    stdio: 'inherit',
  });
  const ended = once(child, 'exit');
  await once(child, 'message');
  let events = 0;
  // One watcher a directory: Node's recursive one throws at a directory that has gone again.
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

it('is whole after kill -9 at any moment of a load', { timeout: 120_000 }, async () => {
  writeFileSync(join(root, 'archive.tar'), ociArchive(images));
  let finished = false;
  // Ever later, until a load gets through before its moment comes.
  for (let moment = 1; !finished; moment = Math.ceil(moment * 1.3)) {
    finished = await killedLoad(moment);
    const database = openDatabase(join(root, 'state.db'), migrations);
    const store = await openImageStore({
      directory: join(root, 'images'),
      database,
      converter: convertHere,
    });
    expect(readdirSync(join(root, 'images/staging'))).toEqual([]);
    const listed = await store.list();
    // All of the archive or nothing.
    expect([0, images.length]).toContain(listed.length);
    if (finished) expect(listed).toHaveLength(images.length);
    for (const image of listed) {
      expect(await store.bootLayers(image)).toHaveLength(2);
      await store.remove(image.id, { force: true, inUse: () => false });
    }
    expect(readdirSync(join(root, 'images/blobs/sha256'))).toEqual([]);
    expect(readdirSync(join(root, 'images/erofs'))).toEqual([]);
    database.close();
  }
});
