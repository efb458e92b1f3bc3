import {
  appendFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from 'node:fs';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { buffer, text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterEach, beforeEach, expect, it } from 'vitest';
import type { FakeAgent } from '../guest/testing/fake-agent.ts';
import { openTrust } from '../server/home/open-trust.ts';
import { TestHome } from '../server/testing/home.ts';
import { FakeImages, TEST_IMAGE } from '../server/testing/images.ts';
import { BoxBuilders } from './box-builders.ts';
import { listen } from './testing/fake-daemon.ts';

const IMAGE = { ...TEST_IMAGE, config: { ...TEST_IMAGE.config, cmd: ['sleep', 'infinity'] } };

let home: TestHome;
let directory: string;
let builders: BoxBuilders;

beforeEach(async () => {
  directory = mkdtempSync(join(tmpdir(), 'builders-'));
  const document = { name: 'x', manifestDigest: IMAGE.manifestDigest, layerBytes: 1, packages: [] };
  writeFileSync(join(directory, 'builder.json'), JSON.stringify(document));
  home = new TestHome(new FakeImages(IMAGE));
  await open();
});

afterEach(async () => {
  await builders.close();
  await home.remove();
  rmSync(directory, { recursive: true });
});

/** With a policy that refuses every image: the builder's is none of the user's. */
async function open(idleMs = 60_000, snapshots = false): Promise<void> {
  const rt = await home.start();
  const policy = 'schema: a3s-box/image-policy/v1\nimages:\n  - pattern: "**"\n    deny: none\n';
  writeFileSync(join(rt.home, 'image-policy.yaml'), policy);
  builders = new BoxBuilders(
    { ...rt, trust: openTrust(rt.home) },
    { directory, idleMs, snapshots },
  );
  await builders.open();
}

/** The agent of the n-th microVM that is started, from 0. */
async function agentOf(index: number): Promise<FakeAgent> {
  let agent = [...home.agents.values()][index];
  for (; agent === undefined; agent = [...home.agents.values()][index]) await delay(1);
  return agent;
}

async function used(index = 0, name = 'default') {
  const using = builders.use(name);
  const listening = agentOf(index).then(listen);
  const [use] = await Promise.all([using, listening]);
  return use;
}

const boxes = () => home.runtime.store.list();

it('starts a privileged box without a network, whose daemon it waits for, once for all uses', async () => {
  const [first, second] = await Promise.all([used(), builders.use('default')]);
  expect(second.builder).toBe(first.builder);
  const [box, ...others] = boxes();
  expect(others).toEqual([]);
  expect(box).toMatchObject({
    name: 'a3s-builder-default',
    state: { status: 'running' },
    definition: {
      ...{ network: 'none', security: { privileged: true }, init: true, limits: { pids: 8192 } },
      labels: { 'dev.a3s.role': 'builder', 'dev.a3s.builder': 'default' },
      volumeMounts: [{ name: 'a3s-builder-default', destination: '/var/lib/docker' }],
    },
  });
  const { authority } = first.builder;
  expect(box?.definition.env).toContain(`A3S_BUILDER_AUTHORITY=${authority.certificate}`);
  expect(JSON.stringify(box)).not.toContain('PRIVATE KEY');
  const connection = await first.builder.dial();
  connection.write('GET /version HTTP/1.1\r\n\r\n');
  expect(await text(connection)).toContain('GET /version');
  connection.end();
});

it('reads blobs out of its content store', async () => {
  const { builder } = await used();
  const agent = await agentOf(0);
  const hex = 'a'.repeat(64);
  const store = '/var/lib/docker/containerd/daemon/io.containerd.content.v1.content';
  agent.files.paths.set(`${store}/blobs/sha256/${hex}`, { archive: Buffer.from('an archive') });
  const { signal } = new AbortController();
  const archive = await builder.blobArchive(`sha256:${hex}`, signal);
  expect((await buffer(archive)).toString()).toBe('an archive');
  await expect(builder.blobArchive(`sha256:${'b'.repeat(64)}`, signal)).rejects.toMatchObject({
    ...{ code: 'builder-failed', message: expect.stringContaining('does not have the blob') },
  });
});

it('hands over the connections of its programs and of steps until that is ended', async () => {
  const { builder } = await used();
  const end = builder.serveProxy((connection) => connection.end('from the proxy'));
  const endSteps = builder.serveStepProxy((connection) => connection.end('to a step'));
  const agent = await agentOf(0);
  for (const [port, words] of [
    [3128, 'from the proxy'],
    [3128, 'from the proxy'],
    [3129, 'to a step'],
  ] as const) {
    const dialled = await agent.sockets.dial(port);
    expect(await text(dialled)).toBe(words);
    dialled.end();
  }
  end();
  endSteps();
});

it('hands over connections to which an HTTP server can write heads and bytes at once', async () => {
  const { builder } = await used();
  const server = createServer((_, response) => {
    response.writeHead(200, { 'content-length': 6 });
    response.write(Buffer.from('answer'));
    response.end();
  });
  const end = builder.serveStepProxy((connection) => server.emit('connection', connection));
  const dialled = await (await agentOf(0)).sockets.dial(3129);
  dialled.write('GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n');
  expect(await text(dialled)).toMatch(/^HTTP\/1\.1 200 OK\r\n[\s\S]*\r\n\r\nanswer$/);
  dialled.end();
  end();
});

it('loses no connection that a program makes while one build ends and another begins', async () => {
  const { builder } = await used();
  const { sockets } = await agentOf(0);
  const served = (words: string) =>
    builder.serveProxy((connection) => {
      connection.on('error', () => undefined).end(words);
    });
  let end = served('build 0');
  expect(await text(await sockets.dial(3128))).toBe('build 0');
  for (let index = 1; index < 5; index += 1) {
    end();
    end = served(`build ${index}`);
    expect(await text(await sockets.dial(3128))).toBe(`build ${index}`);
  }
  end();
});

it('hands over connections after any number that programs have reset at once', async () => {
  const { builder } = await used();
  const end = builder.serveStepProxy((connection) => {
    connection.on('error', () => undefined).end('to a step');
  });
  const { sockets } = await agentOf(0);
  for (let index = 0; index < 60; index += 1) (await sockets.dial(3129)).destroy();
  expect(await text(await sockets.dial(3129))).toBe('to a step');
  end();
});

it('starts another one where its microVM has ended', async () => {
  const first = await used();
  const [before] = boxes();
  await home.runtime.running.expect(before?.definition.id ?? '').vm.kill();
  await home.runtime.store.when(
    before?.definition.id ?? '',
    (box) => box?.state.status === 'exited',
    new AbortController().signal,
  );
  const second = await used(1);
  expect(boxes()).toHaveLength(1);
  expect(boxes()[0]?.definition.id).not.toBe(before?.definition.id);
  expect(second.builder.authority.privateKey).not.toBe(first.builder.authority.privateKey);
  expect(second.builder.cacheDisk).toBe(first.builder.cacheDisk);
  first.release();
  second.release();
  await builders.remove('default', { force: false });
  const third = await used(2);
  expect(third.builder.cacheDisk).not.toBe(first.builder.cacheDisk);
  third.release();
});

it('goes on with one that an earlier server started', async () => {
  const first = await used();
  await builders.close();
  await home.stop();
  await open();
  const second = await builders.use('default');
  expect(second.builder.authority).toEqual(first.builder.authority);
  expect(home.agents.size).toBe(1);
});

it('replaces a box that a server left before it was on record', async () => {
  await used();
  await builders.close();
  const [left] = boxes();
  rmSync(join(home.config.home, 'builders'), { recursive: true });
  await home.stop();
  await open();
  await used(1);
  expect(boxes()).toHaveLength(1);
  expect(boxes()[0]?.definition.id).not.toBe(left?.definition.id);
});

it('ends one that nobody uses any more, and keeps its cache', async () => {
  await builders.close();
  await home.stop();
  await open(1);
  const [first, second] = await Promise.all([used(), builders.use('default')]);
  first.release();
  first.release();
  expect(boxes()).toHaveLength(1);
  second.release();
  while (boxes().length > 0) await delay(1);
  expect(home.runtime.volumes.list().map(({ name }) => name)).toEqual(['a3s-builder-default']);
});

it('reports what the daemon wrote where the builder ends at once, and leaves nothing', async () => {
  await home.remove();
  const image = { ...IMAGE, config: { ...IMAGE.config, cmd: ['fail', 'no cgroups'] } };
  home = new TestHome(new FakeImages(image));
  await open();
  await expect(builders.use('default')).rejects.toMatchObject({
    code: 'builder-failed',
    message: expect.stringContaining('its last output: no cgroups'),
  });
  expect(boxes()).toEqual([]);
});

it('lists builders and what is left of them, and removes both', async () => {
  const { release } = await used();
  const [box] = boxes();
  expect(await builders.list()).toEqual([
    {
      ...{ name: 'default', state: 'running', box: box?.definition.id, uses: 1 },
      ...{ cache: 'a3s-builder-default', cacheBytes: expect.any(Number) },
      cacheLimitBytes: 32 * 1024 ** 3,
    },
  ]);
  await expect(builders.inspect('other')).rejects.toMatchObject({ code: 'no-such-builder' });
  const asked = { force: false };
  await expect(builders.remove('default', asked)).rejects.toMatchObject({ code: 'conflict' });
  await expect(builders.remove('other', asked)).rejects.toMatchObject({ code: 'no-such-builder' });
  release();
  await home.runtime.running.expect(box?.definition.id ?? '').vm.kill();
  await builders.remove('default', asked);
  expect(boxes()).toEqual([]);
  expect(home.runtime.volumes.list()).toEqual([]);
  expect(await builders.list()).toEqual([]);
});

it('refuses a name that no box can have, and an installation without a builder', async () => {
  await expect(builders.use('../x')).rejects.toMatchObject({ code: 'invalid-argument' });
  rmSync(join(directory, 'builder.json'));
  await expect(builders.use('default')).rejects.toMatchObject({ code: 'builder-missing' });
  expect(boxes()).toEqual([]);
});

it('starts builders of two names at once, each with a box and a cache of its own', async () => {
  const long = `Team_a.${'x'.repeat(56)}`;
  const [first, second] = [await used(), await used(1, long)];
  expect(second.builder).not.toBe(first.builder);
  expect(second.builder.authority.certificate).not.toBe(first.builder.authority.certificate);
  const names = ['default', long].map((name) => `a3s-builder-${name}`);
  const { store } = home.runtime;
  const ids = names.map((name) => store.byName(name)?.definition.id);
  expect(ids).toEqual(boxes().map(({ definition }) => definition.id));
  const listed = await builders.list();
  expect(listed).toMatchObject([
    { name: long, state: 'running', uses: 1, cache: names[1] },
    { name: 'default', state: 'running', uses: 1, cache: names[0] },
  ]);
  second.release();
  await builders.remove(long, { force: false });
  expect((await builders.list()).map(({ name }) => name)).toEqual(['default']);
  expect(boxes().map(({ definition }) => definition.id)).toEqual(ids.slice(0, 1));
});

it('starts no more than eight builders, and another one when one of them is removed', async () => {
  const records = join(home.config.home, 'builders');
  mkdirSync(records, { recursive: true });
  const path = (name: string): string => join(records, `${name}.json`);
  for (let n = 0; n < 8; n += 1) {
    const authority = { certificate: '', privateKey: '' };
    writeFileSync(path(`b${n}`), JSON.stringify({ name: `b${n}`, box: 'none', authority }));
  }
  await expect(builders.use('default')).rejects.toMatchObject({
    code: 'conflict',
    message: expect.stringContaining('there are 8'),
  });
  expect(boxes()).toEqual([]);
  rmSync(path('b0'));
  (await used()).release();
});

it('gives up waiting for the start when its caller aborts, and the start goes on', async () => {
  const abort = new AbortController();
  const using = builders.use('default', abort.signal);
  abort.abort(new Error('no more'));
  await expect(using).rejects.toThrow('no more');
  const { release } = await used();
  expect(home.agents.size).toBe(1);
  release();
});

/** What is waited for comes by itself, also on a machine that has much else to do. */
const SOON = { timeout: 30_000 };
const cachePath = () => home.runtime.volumes.mountpoint('a3s-builder-default');
const savedFiles = (): string[] => {
  const path = join(home.config.home, 'builders/saved/default');
  return existsSync(path) ? readdirSync(path).sort() : [];
};

/** A builder was used, has ended, and was saved after a boot of its own. */
async function saved() {
  await builders.close();
  await home.stop();
  await open(1, true);
  const { builder, release } = await used();
  release();
  listen(await agentOf(1));
  await expect.poll(savedFiles, SOON).toEqual(['builder.json', 'disk', 'memory']);
  await expect.poll(boxes, SOON).toEqual([]);
  return builder;
}

it('boots an idle builder to save it, and goes on from there once, with an authority of its own', async () => {
  const first = await saved();
  expect((await builders.list()).map(({ state }) => state)).toEqual(['stopped']);
  const { builder, release } = await used(2);
  const [box] = boxes();
  expect(box?.state.machine).toMatchObject({ start: 'snapshot' });
  expect(home.host.launches.at(-1)?.fork).toMatchObject({ arrangement: 'boot' });
  expect(home.agents.get(box?.definition.id ?? '')?.frozen).toBe(false);
  expect(box?.definition.env).toContain(`A3S_BUILDER_AUTHORITY=${builder.authority.certificate}`);
  const booted = home.agents.get(home.host.launches.at(-2)?.id ?? '');
  const trusted = JSON.stringify(builder.authority.certificate).slice(1, -1);
  expect(JSON.stringify(booted?.spec)).toContain(trusted);
  expect(builder.authority.privateKey).not.toBe(first.authority.privateKey);
  expect(builder.cacheDisk).toBe(first.cacheDisk);
  // The next start needs another one.
  expect(savedFiles()).toEqual([]);
  release();
});

it.each([
  ['its cache was written to', () => appendFileSync(cachePath(), 'x')],
  [
    'the processors of the host are others',
    () => Object.assign(home.runtime.host, { cpus: home.runtime.host.cpus + 1 }),
  ],
  [
    'the kernel is another one',
    () => {
      home.boot = { ...home.boot, kernelPath: '/other/kernel' };
    },
  ],
  [
    'nobody can say what the engine is',
    () => {
      const { engine } = home.runtime;
      Object.assign(engine, { templateInputs: () => Promise.reject(new Error('no answer')) });
    },
  ],
  [
    'its record is damaged',
    () => writeFileSync(join(home.config.home, 'builders/saved/default/builder.json'), '{'),
  ],
])('boots where a builder was saved and %s', async (_, change) => {
  await saved();
  change();
  const { release } = await used(2);
  expect(home.host.launches.at(-1)?.fork).toBeUndefined();
  release();
});

it('boots where a saved builder does not come to run, and leaves nothing of it', async () => {
  await saved();
  home.host.failNextLaunch(new Error('no such microVM'));
  const { release } = await used(2);
  expect(home.host.launches.at(-2)?.fork).toBeDefined();
  expect(home.host.launches.at(-1)?.fork).toBeUndefined();
  expect([savedFiles(), boxes().length]).toEqual([[], 1]);
  release();
});

it('hands a builder out that is asked for while it boots to be saved', async () => {
  await builders.close();
  await home.stop();
  await open(1, true);
  const { release } = await used();
  release();
  const booting = await agentOf(1);
  expect(builders.runs('default')).toBe(false);
  const using = builders.use('default');
  listen(booting);
  const again = await using;
  expect(boxes().map(({ definition }) => definition.id)).toEqual([home.host.launches.at(-1)?.id]);
  expect([home.agents.size, savedFiles()]).toEqual([2, []]);
  again.release();
});

it('removes what was saved of a builder with its caches', async () => {
  await saved();
  await builders.remove('default', { force: false });
  expect([savedFiles(), await builders.list()]).toEqual([[], []]);
});

it('ends a builder that a server was saving when it ended', async () => {
  const { release } = await used();
  release();
  await builders.close();
  await home.stop();
  mkdirSync(join(home.config.home, 'builders/saved/default/memory'), { recursive: true });
  await open();
  await expect.poll(boxes, SOON).toEqual([]);
  expect(savedFiles()).toEqual([]);
});
