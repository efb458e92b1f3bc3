import { once } from 'node:events';
import { createReadStream } from 'node:fs';
import { PassThrough, type Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTORS, Actor } from '../../e2e/actor.ts';
import { BUSYBOX, type Installation, install } from '../../e2e/installation.ts';
import { type Overheard, overhear } from './overheard.ts';

/** Ends as the test asks, and prints that. */
const EXITS_ON_TERM = 'trap "echo bye; exit 3" TERM; echo ready; sleep 1000 & wait';

let installation: Installation;
let actor: Actor;
let overheard: Overheard;
let client: Docker;
beforeAll(async () => {
  installation = await install();
  actor = new Actor(ACTORS[0] ?? 'ordinary user', installation);
  expect(await actor.ok(['info', '--format', '{{.Socket}}'])).toBe(actor.socket);
  await actor.ok(['template', 'warm']);
  overheard = await overhear(actor.socket);
  client = new Docker({ socketPath: overheard.socket, version: 'v1.45' });
});
afterAll(async () => {
  await overheard.stop();
  await actor.leave();
  installation.remove();
  expect(actor.remains()).toEqual([]);
  expect(overheard.wrong).toEqual([]);
});

const named = (name: string, more: Partial<Docker.ContainerCreateOptions> = {}) =>
  client.createContainer({
    ...{ name, Image: BUSYBOX, Cmd: ['sh', '-c', EXITS_ON_TERM], Labels: { suite: 'dockerode' } },
    ...more,
    HostConfig: { NetworkMode: 'none', ...more.HostConfig },
  });

/** The streams of an attachment, apart. */
function apart(stream: NodeJS.ReadableStream) {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  client.modem.demuxStream(stream, stdout, stderr);
  stream.once('end', () => {
    stdout.end();
    stderr.end();
  });
  return { stdout, stderr };
}

async function said(container: Docker.Container): Promise<string> {
  const bytes = await container.logs({ follow: false, stdout: true, stderr: false });
  const { stdout } = apart(PassThrough.from([bytes]));
  return text(stdout);
}

describe('images', () => {
  it('dockerode loads, lists, inspects, tags and removes images', async () => {
    const progress = await client.loadImage(createReadStream(installation.archives.busybox));
    expect(await text(progress)).toContain(BUSYBOX);
    const image = client.getImage(BUSYBOX);
    const { Id, RepoTags, Architecture, Config } = await image.inspect();
    expect(RepoTags).toEqual([BUSYBOX]);
    expect({ Architecture, Cmd: Config.Cmd }).toEqual({ Architecture: 'amd64', Cmd: ['sh'] });
    await image.tag({ repo: 'test/other', tag: '2' });
    const tags = (await client.listImages()).map((one) => [one.Id, one.RepoTags]);
    expect(tags).toEqual([[Id, [BUSYBOX, 'test/other:2']]]);
    expect(await client.getImage('test/other:2').remove()).toEqual([{ Untagged: 'test/other:2' }]);
    expect(await image.history()).toHaveLength(2);
    await expect(client.getImage('test/nobody').inspect()).rejects.toMatchObject({
      statusCode: 404,
      json: { code: 'no-such-image' },
    });
  });
});

describe('the engine', () => {
  it('dockerode reads ping, version, info and df', async () => {
    expect(String(await client.ping())).toBe('OK');
    expect(await client.version()).toMatchObject({ ApiVersion: '1.45', Os: 'linux' });
    expect(await client.info()).toMatchObject({ Containers: 0, Images: 1, OSType: 'linux' });
    expect(await client.df()).toMatchObject({ Containers: [], Images: [{ Containers: 0 }] });
  });
});

describe('a box', () => {
  it('dockerode attaches to a box before its start, and exchanges input and output', async () => {
    const container = await named('typed', {
      ...{ Cmd: ['sh', '-c', 'cat; echo err >&2; exit 5'], OpenStdin: true, StdinOnce: true },
    });
    const stream = await container.attach({
      ...{ stream: true, stdin: true, stdout: true, stderr: true, hijack: true },
    });
    const waiting = container.wait({ condition: 'next-exit' });
    const output = apart(stream);
    await container.start();
    stream.end('typed\n');
    expect(await Promise.all([text(output.stdout), text(output.stderr)])).toEqual([
      'typed\n',
      'err\n',
    ]);
    expect(await waiting).toEqual({ StatusCode: 5 });
    expect(await container.wait()).toEqual({ StatusCode: 5 });
    const gone = container.wait({ condition: 'removed' });
    await container.remove();
    expect(await gone).toEqual({ StatusCode: 5 });
    await expect(container.inspect()).rejects.toMatchObject({ statusCode: 404 });
  });

  it('dockerode resizes the terminal of a box', async () => {
    const container = await named('terminal', {
      ...{ Cmd: ['sh'], Tty: true, OpenStdin: true, HostConfig: { ConsoleSize: [30, 90] } },
    });
    const stream = await container.attach({
      ...{ stream: true, stdin: true, stdout: true, stderr: true, hijack: true },
    });
    let seen = '';
    stream.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    await container.start();
    stream.write('stty size\n');
    await expect.poll(() => seen).toContain('30 90');
    await container.resize({ h: 40, w: 132 });
    stream.write('stty size; exit\n');
    await expect.poll(() => seen).toContain('40 132');
    expect(await container.wait()).toEqual({ StatusCode: 0 });
    await container.remove();
  });

  it('dockerode runs a box through exec, stats, update, pause, rename, restart, kill and removal', async () => {
    const container = await named('daily');
    await container.start();
    const followed = await container.logs({ follow: true, stdout: true, stderr: true });
    const everything = text(apart(followed).stdout);
    await expect.poll(() => said(container)).toBe('ready\n');

    const exec = await container.exec({
      ...{ Cmd: ['sh', '-c', 'cat; echo err >&2; exit 4'], Env: ['A=b'], User: 'user' },
      ...{ AttachStdin: true, AttachStdout: true, AttachStderr: true },
    });
    const stream = await exec.start({ hijack: true, stdin: true });
    const inside = apart(stream);
    stream.end('given');
    expect(await Promise.all([text(inside.stdout), text(inside.stderr)])).toEqual([
      'given',
      'err\n',
    ]);
    expect(await exec.inspect()).toMatchObject({ Running: false, ExitCode: 4 });

    const shell = await container.exec({
      ...{ Cmd: ['sh'], Tty: true, AttachStdin: true, AttachStdout: true },
    });
    const terminal = await shell.start({ hijack: true, stdin: true, Tty: true });
    let seen = '';
    terminal.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    await shell.resize({ h: 33, w: 99 });
    terminal.write('stty size; exit 6\n');
    await expect.poll(() => seen).toContain('33 99');
    await expect.poll(() => shell.inspect()).toMatchObject({ ExitCode: 6 });

    const { Titles, Processes } = await container.top();
    expect(Titles).toContain('PID');
    expect(
      Processes.some((columns: readonly string[]) => columns.at(-1)?.startsWith('sh -c')),
    ).toBe(true);

    const once1 = await container.stats({ stream: false, 'one-shot': true });
    expect(once1.memory_stats.usage).toBeGreaterThan(0);
    const stats = await container.stats({ stream: true });
    for (let seconds = 0; seconds < 2; seconds++) {
      const [line] = await once(stats as Readable, 'data');
      expect(JSON.parse(String(line))).toMatchObject({ name: '/daily', id: container.id });
    }
    (stats as Readable).destroy();

    await container.update({ PidsLimit: 77, RestartPolicy: { Name: 'on-failure' } });
    await container.rename({ name: 'nightly' });
    expect(await container.inspect()).toMatchObject({
      Name: '/nightly',
      State: { Status: 'running', Running: true },
      HostConfig: { PidsLimit: 77, RestartPolicy: { Name: 'on-failure' } },
    });
    await container.update({ RestartPolicy: { Name: 'no' } });

    await container.pause();
    expect((await container.inspect()).State).toMatchObject({ Status: 'paused', Paused: true });
    await expect(container.pause()).rejects.toMatchObject({ statusCode: 409 });
    await container.unpause();

    const listed = await client.listContainers({
      filters: { name: ['nightly'], label: ['suite=dockerode'], status: ['running'] },
    });
    expect(listed).toMatchObject([{ Id: container.id, Names: ['/nightly'], State: 'running' }]);

    await container.restart({ t: 60 });
    expect(await everything).toBe('ready\nbye\n');
    await expect.poll(() => said(container)).toBe('ready\nbye\nready\n');
    const died = container.wait({ condition: 'next-exit' });
    await container.kill({ signal: 'SIGKILL' });
    expect(await died).toEqual({ StatusCode: 137 });
    await expect(container.kill()).rejects.toMatchObject({ statusCode: 409 });
    await container.start();
    // Before that it is the first process of a namespace that has no handler for the signal yet.
    await expect.poll(() => said(container)).toBe('ready\nbye\nready\nready\n');
    await container.stop({ t: 60 });
    await expect(container.stop()).rejects.toMatchObject({ statusCode: 304 });
    expect((await container.inspect()).State).toMatchObject({ Status: 'exited', ExitCode: 3 });
    await container.remove({ force: true });
  });

  it('dockerode receives the events of a box, and prunes it', async () => {
    const live = (await client.getEvents({ filters: { event: ['destroy'] } })) as Readable;
    const destroyed = once(live, 'data');
    const container = await named('pruned', { Cmd: ['true'] });
    await container.start();
    expect(await container.wait()).toEqual({ StatusCode: 0 });
    const pruned = await client.pruneContainers({ filters: { label: ['suite=dockerode'] } });
    expect(pruned.ContainersDeleted).toEqual([container.id]);
    expect(JSON.parse(String((await destroyed)[0]))).toMatchObject({ id: container.id });
    live.destroy();
    const past = await client.getEvents({
      ...{ since: 0, until: Math.ceil(Date.now() / 1000) },
      filters: { container: [container.id] },
    });
    const actions = (await text(past))
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line).Action);
    expect(actions).toEqual(['create', 'start', 'die', 'destroy']);
  });

  it('dockerode gets refusals by name, and nothing is left of refused boxes', async () => {
    await expect(named('refused', { HostConfig: { PidMode: 'host' } })).rejects.toMatchObject({
      ...{ statusCode: 400, json: { code: 'unsupported-option' } },
      message: expect.stringContaining('HostConfig.PidMode'),
    });
    await expect(named('refused', { Image: 'test/nobody' })).rejects.toMatchObject({
      statusCode: 404,
    });
    expect(await client.listContainers({ all: true })).toEqual([]);
    await expect.poll(() => actor.boxProcesses()).toEqual([]);
  });
});
