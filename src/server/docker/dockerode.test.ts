import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { text } from 'node:stream/consumers';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestHome } from '../testing/home.ts';

const home = new TestHome();
let docker: Docker;
beforeAll(async () => {
  await home.start();
  docker = new Docker({ socketPath: home.config.socket });
});
afterAll(() => home.remove());

describe('dockerode', () => {
  it('dockerode pings the server with and without a version', async () => {
    expect(String(await docker.ping())).toBe('OK');
    const versioned = new Docker({ socketPath: home.config.socket, version: 'v1.45' });
    expect(String(await versioned.ping())).toBe('OK');
  });

  it('dockerode attaches by upgrade, writes input and reads both streams', async () => {
    const container = await docker.createContainer({
      ...{ Image: 'busybox', Cmd: ['sh'], OpenStdin: true, StdinOnce: true },
    });
    const stream = await container.attach({
      ...{ stream: true, stdin: true, stdout: true, stderr: true, hijack: true },
    });
    const stdout = new PassThrough();
    const stderr = new PassThrough();
    container.modem.demuxStream(stream, stdout, stderr);
    stream.once('end', () => {
      stdout.end();
      stderr.end();
    });
    await container.start();
    stream.end('typed');
    expect(await text(stdout)).toBe('typed');
    expect(await container.wait()).toEqual({ StatusCode: 0 });
    await container.remove();
  });

  it('dockerode attaches over plain HTTP', async () => {
    const container = await docker.createContainer({
      ...{ Image: 'busybox', Cmd: ['sh'], OpenStdin: true, StdinOnce: true, Tty: false },
    });
    const stream = await container.attach({
      ...{ stream: true, stdin: true, stdout: true, stderr: true },
    });
    const stdout = new PassThrough();
    container.modem.demuxStream(stream, stdout, new PassThrough());
    stream.once('end', () => stdout.end());
    await container.start();
    // `end` of this stream would close both directions at once.
    stream.write('plain');
    const [answer] = await once(stdout, 'data');
    expect(String(answer)).toBe('plain');
    await container.remove({ force: true });
    await text(stdout);
  });

  it('dockerode runs exec with a terminal, resizes it and reads the exit code', async () => {
    const container = await docker.createContainer({
      Image: 'busybox',
      Cmd: ['sleep', 'infinity'],
    });
    await container.start();
    const exec = await container.exec({
      ...{ Cmd: ['tty'], Tty: true, AttachStdin: true, AttachStdout: true },
    });
    const stream = await exec.start({ hijack: true, stdin: true, Tty: true });
    let seen = '';
    stream.on('data', (chunk: Buffer) => {
      seen += chunk.toString();
    });
    await once(stream, 'data');
    await exec.resize({ h: 50, w: 132 });
    await expect.poll(() => seen).toContain('50 132');
    stream.write('q');
    await once(stream, 'end');
    expect(await exec.inspect()).toMatchObject({ Running: false, ExitCode: 0 });
    await container.remove({ force: true });
  });

  it('dockerode follows events and logs', async () => {
    const events = await docker.getEvents({ filters: { event: ['die'] } });
    const died = once(events, 'data');
    const container = await docker.createContainer({
      Image: 'busybox',
      Cmd: ['echo', 'logged'],
      Tty: true,
    });
    await container.start();
    const logs = await container.logs({ follow: true, stdout: true, stderr: true });
    expect(await text(logs)).toBe('logged\n');
    expect(JSON.parse(String((await died)[0]))).toMatchObject({ Action: 'die', id: container.id });
    (events as PassThrough).destroy();
    await container.remove();
  });

  it('dockerode receives Docker’s status and message, and our code', async () => {
    await expect(docker.getContainer('nope').inspect()).rejects.toMatchObject({
      statusCode: 404,
      json: { message: 'No such container: nope', code: 'no-such-box' },
    });
  });
});
