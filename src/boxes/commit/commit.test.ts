import { request } from 'node:http';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { FakeFiles } from '../../guest/testing/fake-files.ts';
import { FakeRefusal } from '../../guest/testing/fake-refusal.ts';
import { buildImage, ociArchive, sha256 } from '../../images/testing/build-image.ts';
import { streamed } from '../../images/testing/streams.ts';
import { writeTar } from '../../images/testing/tar-writer.ts';
import { type TemporaryStore, temporaryStore } from '../../images/testing/temporary-store.ts';
import { docker } from '../../server/testing/docker.ts';
import { TestHome } from '../../server/testing/home.ts';
import { allowConfidential } from '../../server/testing/signed-images.ts';

const PARENT = buildImage({
  name: 'docker.io/library/busybox:latest',
  layers: [[{ path: 'bin', type: 'directory' }]],
  config: { Env: ['PATH=/bin', 'KEPT=1'], Labels: { of: 'image' }, WorkingDir: '/srv' },
  history: [{ created_by: 'ADD rootfs' }],
});
const LAYER = writeTar([
  { path: './', type: 'directory' },
  { path: 'made', data: Buffer.alloc(200_000, 'made') },
]);

let temporary: TemporaryStore;
let home: TestHome;
beforeEach(async () => {
  temporary = await temporaryStore();
  await temporary.store.load(streamed(ociArchive([PARENT])));
  home = new TestHome(temporary.store);
  await home.start();
  withFiles((files) => {
    files.changedLayer = LAYER;
  });
});
afterEach(async () => {
  await home.remove();
  temporary.remove();
});

/** Prepares the files of the agents that are launched from now on. */
function withFiles(prepare: (files: FakeFiles) => void): void {
  home.takeover = (agent, stream) => {
    prepare(agent.files);
    agent.serve(stream);
  };
}

async function runBox(more: Record<string, unknown> = {}): Promise<string> {
  const id = await home.create(['sleep', 'infinity'], more);
  expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
  return id;
}

const commit = (id: string, query = '', body?: unknown) =>
  home.call('POST', `/commit?container=${id}${query}`, body);
const imageOf = async ({ body }: { readonly body: unknown }) =>
  await temporary.store.resolve((body as { Id: string }).Id);
const status = (id: string) => home.runtime.store.expect(id).state.status;
const frozen = (id: string) => home.agents.get(id)?.frozen;

/** The events that are published while `work` runs. */
async function eventsOf(work: () => Promise<unknown>): Promise<readonly unknown[][]> {
  const published = vi.spyOn(home.runtime.events, 'publish');
  await work();
  const calls = published.mock.calls.map((call) => [...call]);
  published.mockRestore();
  return calls;
}

/** Holds the layer of a running box back half-way, until it may go on. */
function holdLayer(id: string): { readonly started: Promise<void>; readonly goOn: () => void } {
  let goOn = (): void => undefined;
  const held = new Promise<void>((resolve) => {
    goOn = resolve;
  });
  const files = home.agents.get(id)?.files ?? expect.fail('the box has no agent');
  const started = new Promise<void>((start) => {
    vi.spyOn(files, 'layer').mockImplementation(async (stream) => {
      stream.respond({ ':status': 200 });
      stream.write(LAYER.subarray(0, 1000));
      start();
      await held;
      if (!stream.destroyed) stream.end(LAYER.subarray(1000));
    });
  });
  return { started, goOn };
}

describe('a commit', () => {
  it('makes an image of the parent’s layers, the changes and the box’s configuration', async () => {
    const id = await runBox({
      Env: ['A=1'],
      Labels: { of: 'box' },
      ExposedPorts: { '80/tcp': {} },
    });
    const query = '&repo=team/app&tag=1&comment=why&author=me&changes=ENV%20B%3D%24A';
    const answer = await commit(id, `${query}&changes=CMD%20%5B%22x%22%5D%0AUSER%20me`);
    expect(answer.status).toBe(201);
    expect(await imageOf(answer)).toMatchObject({
      tags: ['team/app:1'],
      diffIds: [...PARENT.diffIds, sha256(LAYER)],
      author: 'me',
      config: {
        ...{ cmd: ['x'], env: ['A=1', 'PATH=/bin', 'KEPT=1', 'B=1'], labels: { of: 'box' } },
        ...{ exposedPorts: ['80/tcp'], user: 'me', workingDir: '/srv' },
      },
      origins: [{ kind: 'commit', reference: 'team/app:1', parent: PARENT.config.digest }],
    });
    const { body } = await home.call('GET', '/images/team/app:1/history');
    expect(body).toMatchObject([
      { CreatedBy: 'sleep infinity', Comment: 'why', Tags: ['team/app:1'] },
      { CreatedBy: 'ADD rootfs' },
    ]);
    const inspected = await home.call('GET', '/images/team/app:1/json');
    expect(inspected.body).toMatchObject({
      Author: 'me',
      Comment: 'why',
      Parent: PARENT.config.digest,
    });
    const listed = await home.call('GET', '/images/json');
    expect(listed.body).toContainEqual(
      expect.objectContaining({ RepoTags: ['team/app:1'], ParentId: PARENT.config.digest }),
    );
    expect(listed.body).toContainEqual(
      expect.objectContaining({ Id: PARENT.config.digest, ParentId: '' }),
    );
  });

  it('pauses a box that runs until its changes were read, and says so in events', async () => {
    const id = await runBox();
    const { started, goOn } = holdLayer(id);
    const events = await eventsOf(async () => {
      const answered = commit(id, '&repo=app');
      await started;
      expect([status(id), frozen(id)]).toEqual(['paused', true]);
      goOn();
      const { Id } = (await answered).body as { Id: string };
      expect([status(id), frozen(id)]).toEqual(['running', false]);
      expect(Id).toMatch(/^sha256:/);
    });
    expect(events).toMatchObject([
      ['container', 'pause', id, {}],
      ['container', 'unpause', id, {}],
      ['image', 'tag', expect.stringMatching(/^sha256:/), { name: 'app:latest' }],
      [
        ...['container', 'commit', id],
        { comment: '', imageID: expect.stringMatching(/^sha256:/), imageRef: 'app:latest' },
      ],
    ]);
  });

  it('commits without a pause with pause=0, and leaves a paused box paused', async () => {
    const id = await runBox();
    const events = await eventsOf(() => commit(id, '&pause=0'));
    expect(events.map(([, action]) => action)).toEqual(['commit']);
    await home.call('POST', `/containers/${id}/pause`);
    expect((await commit(id)).status).toBe(201);
    expect([status(id), frozen(id)]).toEqual(['paused', true]);
  });

  it('reads the changes of a box that does not run by a microVM that is gone afterwards', async () => {
    const id = await home.create(['true']);
    const answer = await commit(id);
    expect(await imageOf(answer)).toMatchObject({ tags: [], config: { cmd: ['true'] } });
    expect(status(id)).toBe('created');
    expect(home.host.running).toHaveLength(0);
  });

  it('adds no layer for a box that has changed nothing', async () => {
    withFiles(() => undefined);
    const id = await runBox();
    expect(await imageOf(await commit(id))).toMatchObject({ diffIds: PARENT.diffIds });
  });

  it('commits the same box again, and twice at once', async () => {
    const id = await runBox();
    const answers = await Promise.all([commit(id, '&repo=a'), commit(id, '&repo=b')]);
    expect(answers.map((answer) => answer.status)).toEqual([201, 201]);
    expect(status(id)).toBe('running');
    expect((await commit(id, '&repo=a')).status).toBe(201);
    const tags = (await temporary.store.list()).flatMap((image) => image.tags);
    expect(tags.sort()).toEqual(['a:latest', 'b:latest', 'busybox:latest']);
  });

  it('takes a configuration in place of the box’s, and the rest of it from the box', async () => {
    const id = await runBox({ Env: ['A=1'], User: 'root' });
    const body = { Cmd: ['given'], Env: ['A=2'], Hostname: 'ignored', Healthcheck: null };
    expect(await imageOf(await commit(id, '', body))).toMatchObject({
      config: { cmd: ['given'], env: ['PATH=/bin', 'KEPT=1', 'A=2'], user: 'root' },
    });
    expect((await commit(id, '', 'null')).status).toBe(201);
  });
});

describe('Docker’s own command line', () => {
  const run = (args: readonly string[]) => docker(home.config.socket, args);

  it('commits a box, and is told what it cannot do', async () => {
    const id = await runBox();
    const changes = ['-c', 'ENV B=2', '-c', 'CMD echo hi'];
    const done = await run(['commit', '-a', 'me', '-m', 'why', ...changes, id, 'team/app:1']);
    expect(done).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^sha256:[0-9a-f]{64}\n$/),
    });
    expect(await temporary.store.resolve('team/app:1')).toMatchObject({
      ...{ id: done.stdout.trim(), author: 'me' },
      config: { cmd: ['/bin/sh', '-c', 'echo hi'], env: ['PATH=/bin', 'KEPT=1', 'B=2'] },
    });
    const refused = await run(['commit', '-c', 'RUN x', id]);
    expect(refused.code).toBe(1);
    expect(refused.stderr).toContain('RUN is not a valid change command');
  });
});

describe('a commit that fails', () => {
  const images = async () => (await temporary.store.list()).flatMap((image) => image.tags);

  it.each([
    ['changes=RUN%20x', 400, /^RUN is not a valid change command/],
    ['repo=UPPER', 400, /UPPER|upper/],
    [`repo=a@sha256:${'1'.repeat(64)}`, 400, /digest/],
    [`comment=${'x'.repeat(5000)}`, 400, /^Invalid request: comment: Too big/],
  ])('refuses a commit before the box is paused: %s', async (query, expected, message) => {
    const id = await runBox();
    const events = await eventsOf(async () => {
      const answer = await commit(id, `&${query}`);
      expect(answer.status).toBe(expected);
      expect((answer.body as { message: string }).message).toMatch(message);
    });
    expect(events).toEqual([]);
  });

  it('refuses to commit a missing box and a confidential one', async () => {
    expect(await commit('gone')).toMatchObject({ status: 404, body: { code: 'no-such-box' } });
    home.trust.rules = [allowConfidential('**')];
    const id = await home.create(['true'], { Confidential: { Tee: 'simulate' } });
    expect(await commit(id)).toMatchObject({
      status: 403,
      body: {
        code: 'host-not-permitted',
        message: expect.stringMatching(/^Cannot commit .* no file/),
      },
    });
  });

  it('names the file that no layer can hold, and resumes the box', async () => {
    withFiles((files) => {
      files.refusal = new FakeRefusal('path-invalid', '/a/.wh.b cannot be in a layer');
    });
    const id = await runBox();
    expect(await commit(id, '&repo=app')).toMatchObject({
      status: 400,
      body: {
        message: expect.stringMatching(/^Cannot commit .*\/a\/\.wh\.b cannot be in a layer/),
      },
    });
    expect([status(id), frozen(id)]).toEqual(['running', false]);
  });

  it.each([
    ['breaks off', LAYER, true, 500],
    ['leads out', writeTar([{ path: '../x', data: 'x' }]), false, 400],
    ['is no archive', Buffer.alloc(3000, 'x'), false, 400],
  ])(
    'leaves nothing where the layer %s, and resumes the box',
    async (_, layer, breaksOff, expected) => {
      withFiles((files) => Object.assign(files, { changedLayer: layer, breaksOff }));
      const id = await runBox();
      const before = (await temporary.remains()).length;
      expect((await commit(id, '&repo=app')).status).toBe(expected);
      expect([status(id), frozen(id)]).toEqual(['running', false]);
      expect(await images()).toEqual(['busybox:latest']);
      expect(await temporary.remains()).toHaveLength(before);
    },
  );

  it('ends a commit with its client, and resumes the box', async () => {
    const id = await runBox();
    const { started } = holdLayer(id);
    const { socket: socketPath } = home.config;
    const path = `/commit?container=${id}&repo=app`;
    const sent = request({ socketPath, method: 'POST', path, agent: false });
    sent.on('error', () => undefined).end();
    await started;
    sent.destroy();
    await expect.poll(() => [status(id), frozen(id)]).toEqual(['running', false]);
    expect(await images()).toEqual(['busybox:latest']);
  });

  it('ends a commit where the guest sends a byte now and then, and resumes the box', async () => {
    Object.assign(home.runtime, { filesTiming: { idleMs: 300 } });
    const id = await runBox();
    const files = home.agents.get(id)?.files;
    if (files === undefined) throw new Error('no agent');
    vi.spyOn(files, 'layer').mockImplementation(async (stream) => {
      stream.respond();
      const drip = setInterval(() => stream.write('x'), 20);
      stream.once('close', () => clearInterval(drip));
    });
    expect(await commit(id, '&repo=app')).toMatchObject({ body: { code: 'agent-timeout' } });
    expect([status(id), frozen(id)]).toEqual(['running', false]);
  });

  it('ends a commit with the box, and says so', async () => {
    const id = await runBox();
    const { started } = holdLayer(id);
    const answered = commit(id, '&repo=app');
    await started;
    home.host.vm(id)?.crash();
    expect(await answered).toMatchObject({
      status: 409,
      body: { message: expect.stringMatching(/^The microVM of box .* is gone$/) },
    });
    await expect.poll(() => status(id)).toBe('exited');
    expect(await images()).toEqual(['busybox:latest']);
  });

  it('leaves a box that the next server resumes, where its own was killed', async () => {
    const id = await runBox();
    const { started } = holdLayer(id);
    commit(id, '&repo=app').catch(() => undefined);
    await started;
    expect(status(id)).toBe('paused');
    await home.crash();
    await home.start();
    await expect.poll(() => [status(id), frozen(id)]).toEqual(['running', false]);
    expect(await images()).toEqual(['busybox:latest']);
    await home.call('POST', `/containers/${id}/pause`);
    await home.crash();
    await home.start();
    expect(await home.call('POST', `/containers/${id}/pause`)).toMatchObject({ status: 409 });
  });
});
