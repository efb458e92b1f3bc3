import { readdirSync } from 'node:fs';
import type { ServerHttp2Stream } from 'node:http2';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FakeFiles } from '../../guest/testing/fake-files.ts';
import { buildImage, ociArchive } from '../../images/testing/build-image.ts';
import { streamed } from '../../images/testing/streams.ts';
import { writeTar } from '../../images/testing/tar-writer.ts';
import { type TemporaryStore, temporaryStore } from '../../images/testing/temporary-store.ts';
import { TestHome } from '../testing/home.ts';

const LAYER = writeTar([
  { path: './', type: 'directory' },
  { path: 'made', data: Buffer.alloc(200_000, 'made') },
]);

let temporary: TemporaryStore;
let home: TestHome;
beforeEach(async () => {
  temporary = await temporaryStore();
  const parent = buildImage({
    name: 'docker.io/library/busybox:latest',
    layers: [[{ path: 'bin', type: 'directory' }]],
  });
  await temporary.store.load(streamed(ociArchive([parent])));
  home = new TestHome(temporary.store);
  await home.start();
});
afterEach(async () => {
  await home.remove();
  temporary.remove();
});

/** Prepares the files of each agent, also of those that are launched from now on. */
function withFiles(prepare: (files: FakeFiles) => void): void {
  for (const { files } of home.agents.values()) prepare(files);
  home.takeover = (agent, stream) => {
    prepare(agent.files);
    agent.serve(stream);
  };
}

const archive = (id: string): string => `/containers/${id}/archive?path=/tmp`;
const restored = (id: string) => home.runtime.store.expect(id).state.status;
const snapshots = async (): Promise<unknown> => (await home.call('GET', '/a3s/v1/snapshots')).body;
const tags = async () => (await temporary.store.list()).flatMap((image) => image.tags);

/** What is done with the files of a box, the route of its guest, and the status of success. */
const OPERATIONS = {
  commit: ['layer', (id) => home.call('POST', `/commit?container=${id}&repo=app`), 201],
  export: ['export', (id) => home.call('GET', `/containers/${id}/export`), 200],
  'copy out of a box': ['read', (id) => home.call('GET', archive(id)), 200],
  'copy into a box': [
    'write',
    (id) => home.call('PUT', archive(id), LAYER.toString('latin1')),
    200,
  ],
  'list of changes': ['changes', (id) => home.call('GET', `/containers/${id}/changes`), 200],
} as const satisfies Record<
  string,
  readonly [
    keyof FakeFiles,
    (id: string) => Promise<{ readonly status: number; readonly body: unknown }>,
    number,
  ]
>;
type Operation = keyof typeof OPERATIONS;

/**
 * The guest has a request, and answers nothing, or a part of it. The server that asked is dead when
 * this settles.
 */
async function dieDuring(operation: Operation, id: string, part: Buffer | undefined) {
  const [route, ask] = OPERATIONS[operation];
  const asked = new Promise<void>((resolve) => {
    withFiles((files) => {
      vi.spyOn(files, route).mockImplementation(async (stream: ServerHttp2Stream) => {
        if (part === undefined) return resolve();
        stream.respond({ ':status': 200, 'content-type': 'application/octet-stream' });
        stream.write(part, () => resolve());
      });
    });
  });
  // The client gets no answer.
  const answer = ask(id).catch(() => undefined);
  await asked;
  await home.crash();
  await answer;
  vi.restoreAllMocks();
  withFiles((files) => {
    files.changedLayer = LAYER;
  });
}

describe.each(Object.keys(OPERATIONS) as readonly Operation[])(
  'a server that dies during a %s',
  (operation) => {
    const [, ask, success] = OPERATIONS[operation];

    it.each([
      ['before the guest answers', undefined],
      ['in the middle of the answer', LAYER.subarray(0, 1000)],
    ])('leaves a running box as it was, %s', async (_, part) => {
      const id = await home.create(['sleep', 'infinity']);
      await home.call('POST', `/containers/${id}/start`);
      await dieDuring(operation, id, part);
      await home.start();
      await expect
        .poll(() => [restored(id), home.agents.get(id)?.frozen])
        .toEqual(['running', false]);
      expect([await tags(), home.agents.get(id)?.files.written]).toEqual([['busybox:latest'], []]);
      expect((await ask(id)).status).toBe(success);
    });

    it.each([
      ['before the guest answers', undefined],
      ['in the middle of the answer', LAYER.subarray(0, 1000)],
    ])('leaves no microVM of a box that does not run, %s', async (_, part) => {
      const id = await home.create(['true']);
      await home.call('POST', `/containers/${id}/start`);
      await home.call('POST', `/containers/${id}/wait`);
      await dieDuring(operation, id, part);
      await home.start();
      await expect.poll(() => home.host.running).toEqual([]);
      expect([restored(id), await tags()]).toEqual(['exited', ['busybox:latest']]);
      expect(readdirSync(home.config.runtimeDir)).toEqual(['server.sock']);
      expect((await ask(id)).status).toBe(success);
      await expect.poll(() => home.host.running).toEqual([]);
    });
  },
);

describe('a server that dies during a snapshot of a disk', () => {
  const stored = () => readdirSync(join(home.config.home, 'snapshots'));
  const chain = (id: string) =>
    readdirSync(join(home.config.home, 'boxes', id)).filter((name) => name.startsWith('changes.'));
  const take = (id: string) =>
    home.call('POST', '/a3s/v1/snapshots', { box: id, memory: false, name: 'kept' });

  it('leaves the box running without a snapshot, before its disk is up to date', async () => {
    const id = await home.create(['sleep', 'infinity']);
    await home.call('POST', `/containers/${id}/start`);
    const asked = new Promise<void>((resolve) => {
      withFiles((files) => {
        vi.spyOn(files, 'sync').mockImplementation(async () => resolve());
      });
    });
    const answer = take(id).catch(() => undefined);
    await asked;
    await home.crash();
    await answer;
    vi.restoreAllMocks();
    await home.start();
    await expect
      .poll(() => [restored(id), home.agents.get(id)?.frozen])
      .toEqual(['running', false]);
    expect([await snapshots(), stored(), chain(id)]).toEqual([
      ...[{ snapshots: [] }, [], ['changes.ext4']],
    ]);
    expect((await take(id)).status).toBe(201);
  });

  it.each(['before', 'after'] as const)(
    'keeps all that the box writes, %s the record says that the snapshot is complete',
    async (when) => {
      const id = await home.create(['sleep', 'infinity']);
      await home.call('POST', `/containers/${id}/start`);
      const { snapshots: kept } = home.runtime;
      const finish = kept.finishDisk.bind(kept);
      let died: Promise<void> | undefined;
      vi.spyOn(kept, 'finishDisk').mockImplementation(async (...given) => {
        if (when === 'after') await finish(...given);
        died = home.crash();
        throw new Error('the server is dead');
      });
      await take(id).catch(() => undefined);
      await died;
      vi.restoreAllMocks();
      await home.start();
      await expect
        .poll(() => [restored(id), home.agents.get(id)?.frozen])
        .toEqual(['running', false]);
      // The microVM writes to the layer above, whether or not there is a snapshot.
      expect(chain(id).sort()).toEqual(['changes.1.qcow2', 'changes.ext4']);
      expect(stored()).toHaveLength(when === 'after' ? 1 : 0);
      expect(await snapshots()).toMatchObject({
        snapshots: when === 'after' ? [{ name: 'kept', state: 'ready' }] : [],
      });
      await home.call('POST', `/containers/${id}/kill`);
      await expect.poll(() => restored(id)).toBe('exited');
      expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
      expect(home.host.launches.at(-1)?.disks.at(-1)?.path).toContain('changes.1.qcow2');
    },
  );
});
