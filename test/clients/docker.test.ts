import { createHash, randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { PassThrough, type Readable } from 'node:stream';
import { text } from 'node:stream/consumers';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type DockerResult, docker } from '../../src/server/testing/docker.ts';
import { ACTORS, Actor } from '../e2e/actor.ts';
import { BUSYBOX, type Installation, install } from '../e2e/installation.ts';

/** Says what it is told through a pipe in its file system, and ends when it is told to. */
const SPEAKER =
  'mkfifo /say; trap "echo bye; exit 3" TERM; echo ready; while :; do { read line < /say && echo "$line"; } 2> /dev/null; done';

let installation: Installation;
let actor: Actor;
beforeAll(async () => {
  installation = await install();
  actor = new Actor(ACTORS[0] ?? 'ordinary user', installation);
  // Docker's own client starts no server: ours does, and says where it listens.
  expect(await actor.ok(['info', '--format', '{{.Socket}}'])).toBe(actor.socket);
});
afterAll(async () => {
  await actor.leave();
  installation.remove();
  expect(actor.remains()).toEqual([]);
});

const run = (args: readonly string[], input?: string | Uint8Array): Promise<DockerResult> =>
  docker(actor.socket, args, input);

async function ok(args: readonly string[], input?: string | Uint8Array): Promise<string> {
  const result = await run(args, input);
  expect(result, `docker ${args.join(' ')}`).toMatchObject({ code: 0, stderr: '' });
  return result.stdout.trimEnd();
}

describe('docker', () => {
  it('loads an image and lists it', async () => {
    expect(await ok(['load', '--input', installation.archives.busybox])).toBe(
      `Loaded image: ${BUSYBOX}`,
    );
    expect(await ok(['images', '--format', '{{.Repository}}:{{.Tag}}'])).toBe(BUSYBOX);
  });

  it('runs a box: bytes in and out, both streams and the exit code', async () => {
    const bytes = randomBytes(1_000_000);
    const result = await run(
      ['run', '-i', '--rm', '--network', 'none', BUSYBOX, 'sh', '-c', 'cat; echo err >&2; exit 7'],
      bytes,
    );
    expect(result).toMatchObject({ code: 7, stderr: 'err\n' });
    expect(digest(result.bytes)).toBe(digest(bytes));
  });

  it('refuses by name, and leaves nothing of it', async () => {
    const privileged = await run(['run', '--privileged', BUSYBOX, 'true']);
    expect(privileged.code).toBe(125);
    expect(privileged.stderr).toContain('HostConfig.Privileged is not supported');
    expect((await run(['run', '127.0.0.1:1/no-such-image', 'true'])).code).toBe(125);
    expect((await run(['rm', 'nobody'])).stderr).toContain('No such container: nobody');
    expect(await ok(['ps', '--all', '--quiet'])).toBe('');
    // Behind the first box a template is made, in a machine of its own.
    await expect.poll(() => actor.machines(), { timeout: 60_000 }).toEqual([]);
  });

  it('follows a box through its life', async () => {
    const id = await ok([
      ...['run', '-d', '--name', 'daily', '--network', 'none', '--label', 'team=a'],
      ...[BUSYBOX, 'sh', '-c', SPEAKER],
    ]);
    expect(id).toMatch(/^[0-9a-f]{64}$/);
    expect(
      await ok(['ps', '--no-trunc', '--format', '{{.ID}} {{.Names}} {{.State}} {{.Label "team"}}']),
    ).toBe(`${id} daily running a`);
    expect(await ok(['inspect', '--format', '{{.State.Running}} {{.Config.Image}}', 'daily'])).toBe(
      `true ${BUSYBOX}`,
    );
    const failed = await run(['exec', 'daily', 'sh', '-c', 'echo in; echo err >&2; exit 4']);
    expect(failed).toMatchObject({ code: 4, stdout: 'in\n' });
    expect(failed.stderr).toBe('err\n');
    const bytes = randomBytes(300_000);
    const echoed = await run(['exec', '-i', 'daily', 'cat'], bytes);
    expect(digest(echoed.bytes)).toBe(digest(bytes));
    expect((await run(['exec', 'daily', 'no-such-program'])).code).toBe(126);

    const following = ok(['logs', '--follow', 'daily']);
    await ok(['exec', '-i', 'daily', 'sh', '-c', 'cat > /say'], 'said while followed\n');
    await expect.poll(() => ok(['logs', 'daily'])).toBe('ready\nsaid while followed');
    expect(await ok(['stop', 'daily'])).toBe('daily');
    expect(await following).toBe('ready\nsaid while followed\nbye');
    expect(
      await ok(['inspect', '--format', '{{.State.Status}} {{.State.ExitCode}}', 'daily']),
    ).toBe('exited 3');
    expect(await ok(['rm', '--force', 'daily'])).toBe('daily');

    // The client rounds to whole seconds.
    const until = String(Math.ceil(Date.now() / 1000));
    const events = await ok([
      ...['events', '--since', '1h', '--until', until, '--filter', 'container=daily'],
      ...['--format', '{{.Action}} {{.Actor.Attributes.exitCode}}'],
    ]);
    const told = events.split('\n');
    expect(told.at(0)).toBe('create <no value>');
    expect(told).toContain('start <no value>');
    expect(told).toContain('die 3');
    expect(told.at(-1)).toBe('destroy <no value>');
    expect(actor.machines()).toEqual([]);
  });
});

describe('dockerode', () => {
  it('attaches, starts, enters, follows and removes by force', async () => {
    const client = new Docker({ socketPath: actor.socket });
    const events = await client.getEvents({ filters: { event: ['die'] } });
    const died = once(events, 'data');
    const container = await client.createContainer({
      ...{ Image: BUSYBOX, Cmd: ['cat'], OpenStdin: true, HostConfig: { NetworkMode: 'none' } },
    });
    const attached = await container.attach({
      ...{ stream: true, stdin: true, stdout: true, stderr: true, hijack: true },
    });
    const output = demultiplexed(container, attached);
    await container.start();
    attached.write('typed\n');
    expect(String((await once(output.stdout, 'data'))[0])).toBe('typed\n');

    const exec = await container.exec({
      ...{ Cmd: ['sh', '-c', 'cat; echo err >&2; exit 5'], AttachStdin: true },
      ...{ AttachStdout: true, AttachStderr: true },
    });
    const stream = await exec.start({ hijack: true, stdin: true });
    const inside = demultiplexed(container, stream);
    stream.end('given');
    expect(await Promise.all([text(inside.stdout), text(inside.stderr)])).toEqual([
      'given',
      'err\n',
    ]);
    expect(await exec.inspect()).toMatchObject({ Running: false, ExitCode: 5 });

    expect((await container.inspect()).State).toMatchObject({ Status: 'running', Running: true });
    const waiting = container.wait();
    await container.remove({ force: true });
    expect(await waiting).toEqual({ StatusCode: 137 });
    expect(JSON.parse(String((await died)[0]))).toMatchObject({ Action: 'die', id: container.id });
    (events as Readable).destroy();
    await expect(container.inspect()).rejects.toMatchObject({
      statusCode: 404,
      json: { code: 'no-such-box' },
    });
    expect(actor.machines()).toEqual([]);
  });
});

function demultiplexed(container: Docker.Container, stream: NodeJS.ReadableStream) {
  const stdout = new PassThrough();
  const stderr = new PassThrough();
  container.modem.demuxStream(stream, stdout, stderr);
  stream.once('end', () => {
    stdout.end();
    stderr.end();
  });
  return { stdout, stderr };
}

function digest(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex');
}
