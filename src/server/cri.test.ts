import {
  linkSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  watch,
  writeFileSync,
} from 'node:fs';
import {
  type ClientHttp2Session,
  connect as connectHttp2,
  type IncomingHttpHeaders,
} from 'node:http2';
import { connect as connectUnix, createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { podShape } from '../boxes/spec/pod-shape.ts';
import { ImageService, RuntimeService } from '../cri/grpc/library.ts';
import { CriClient } from '../cri/testing/cri-client.ts';
import { checkCriSocket, serveCri } from './cri.ts';
import { TestHome } from './testing/home.ts';

const { version, checkpointContainer } = RuntimeService.method;

const UNIMPLEMENTED = 12;

let directory: string;
let socket: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'a3s-cri-'));
  socket = join(directory, 'cri.sock');
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

describe('the socket of CRI', () => {
  it('refuses a path that is taken, too long, or in no directory', async () => {
    const file = join(directory, 'file');
    writeFileSync(file, 'of somebody');
    const refused = (path: string) => expect(checkCriSocket(path)).rejects;
    await refused(file).toMatchObject({
      code: 'invalid-argument',
      message: `Cannot serve CRI on ${file}: it is there, and is not a socket`,
    });
    await refused(join(directory, 'none/cri.sock')).toThrow('none is not a directory');
    await refused(join(file, 'cri.sock')).toThrow('cri.sock');
    await refused(join(directory, 'x'.repeat(108))).toThrow('has at most 107 bytes');
    const other = createServer().listen(socket);
    await new Promise((resolve) => other.once('listening', resolve));
    await refused(socket).toThrow('another process listens on it');
    await new Promise((resolve) => other.close(resolve));
    await checkCriSocket(socket);
  });

  it('ends a server that cannot have its socket, and leaves the file that is there', async () => {
    mkdirSync(socket);
    const home = new TestHome();
    home.cri = socket;
    await expect(home.start()).rejects.toMatchObject({ code: 'invalid-argument' });
    expect(statSync(socket).isDirectory()).toBe(true);
    rmSync(join(home.config.home, '..'), { recursive: true, force: true });
  });
});

describe('a server whose socket of CRI cannot be made', () => {
  it('replaces nothing that came to the path after it was checked', async () => {
    const home = new TestHome();
    await home.start();
    try {
      await checkCriSocket(socket);
      writeFileSync(socket, 'of somebody');
      await expect(serveCri(home.runtime, socket)).rejects.toMatchObject({
        ...{ code: 'invalid-argument', message: expect.stringContaining('is not a socket') },
      });
      expect(readFileSync(socket, 'utf8')).toBe('of somebody');
      rmSync(socket);
      const other = createServer().listen(socket);
      await new Promise((resolve) => other.once('listening', resolve));
      await expect(serveCri(home.runtime, socket)).rejects.toThrow('another process listens on it');
      await expect(checkCriSocket(socket)).rejects.toThrow('another process listens on it');
      await new Promise((resolve) => other.close(resolve));
      expect(readdirSync(directory)).toEqual([]);
    } finally {
      await home.remove();
    }
  });

  it('makes its socket in the directory of the path and nowhere else', async () => {
    const home = new TestHome();
    await home.start();
    const made: string[] = [];
    const watcher = watch(directory, (_, name) => void made.push(name ?? ''));
    try {
      const served = await serveCri(home.runtime, socket);
      await expect.poll(() => made).toContain('cri.sock');
      expect(made.some((name) => /^\.\w{6}$/.test(name))).toBe(true);
      await served.close();
    } finally {
      watcher.close();
      await home.remove();
    }
  });

  it('says which directory it may not write to', async () => {
    const home = new TestHome();
    await home.start();
    try {
      await expect(serveCri(home.runtime, '/sys/a3s-cri.sock')).rejects.toMatchObject({
        code: 'invalid-argument',
        message: expect.stringMatching(/EACCES|EPERM|EROFS/),
        remedy: expect.stringContaining('let it write to /sys'),
      });
    } finally {
      await home.remove();
    }
  });
});

describe('a server of CRI', () => {
  let home: TestHome;
  let client: CriClient;
  beforeEach(async () => {
    home = new TestHome();
    home.cri = socket;
    await home.start();
    client = new CriClient(socket);
  });
  afterEach(async () => {
    client.close();
    await home.remove();
  });

  it('serves CRI beside Docker’s API, on a socket that is its owner’s alone', async () => {
    expect(statSync(socket).mode & 0o777).toBe(0o600);
    expect(await client.call(version, {})).toMatchObject({
      ...{ version: '0.1.0', runtimeName: 'a3s-box', runtimeApiVersion: 'v1' },
      runtimeVersion: expect.stringMatching(/^\d+\.\d+\.\d+$/),
    });
    expect((await home.call('GET', '/_ping')).status).toBe(200);
  });

  it('makes the template of pods before the first pod', async () => {
    await home.stop();
    expect(home.host.templates).toEqual([]);
    Object.assign(home.config, { templates: { ...home.config.templates, enabled: true } });
    await home.start();
    await expect
      .poll(() => home.runtime.templates.list().map(({ state }) => state), { timeout: 10_000 })
      .toEqual(['on disk']);
    const { boot, templates } = home.runtime;
    const shape = podShape(0, await boot.open(await boot.current()));
    using taken = await templates.take(shape);
    expect(taken?.template.shape).toEqual({ cpus: 1, boot: home.boot, sparePorts: 13 });
    expect(await templates.take({ ...shape, sparePorts: undefined })).toBeUndefined();
  });

  it('removes the CRI socket at shutdown, and replaces that of a killed server', async () => {
    await home.stop();
    expect(() => statSync(socket)).toThrow('ENOENT');
    // What SIGKILL leaves behind.
    const dead = createServer().listen(join(directory, 'dead'));
    await new Promise((resolve) => dead.once('listening', resolve));
    linkSync(join(directory, 'dead'), socket);
    await new Promise((resolve) => dead.close(resolve));
    await home.start();
    expect(await client.call(version, {})).toMatchObject({ runtimeName: 'a3s-box' });
  });

  it('answers every method, and refuses by name the one that no microVM can have', async () => {
    const missing: string[] = [];
    const note = (name: string) => (error: unknown) => {
      const code = error instanceof Error && 'code' in error ? error.code : undefined;
      if (code === UNIMPLEMENTED) missing.push(name);
    };
    const all = [...RuntimeService.methods, ...ImageService.methods];
    for (const { parent, name, methodKind } of all) {
      if (methodKind !== 'unary') continue;
      await client.raw(`/${parent.typeName}/${name}`, Buffer.alloc(0)).catch(note(name));
    }
    // All but that of events, which does not end by itself.
    const { streamContainers, streamPodSandboxes, streamContainerStats } = RuntimeService.method;
    const { streamPodSandboxStats, streamPodSandboxMetrics } = RuntimeService.method;
    const { streamImages } = ImageService.method;
    await client.stream(streamContainers, {}).catch(note('StreamContainers'));
    await client.stream(streamPodSandboxes, {}).catch(note('StreamPodSandboxes'));
    await client.stream(streamContainerStats, {}).catch(note('StreamContainerStats'));
    await client.stream(streamPodSandboxStats, {}).catch(note('StreamPodSandboxStats'));
    await client.stream(streamPodSandboxMetrics, {}).catch(note('StreamPodSandboxMetrics'));
    await client.stream(streamImages, {}).catch(note('StreamImages'));
    expect(all.filter(({ methodKind }) => methodKind !== 'unary')).toHaveLength(7);
    expect(missing).toEqual(['CheckpointContainer']);
    await expect(client.call(checkpointContainer, {})).rejects.toMatchObject({
      code: UNIMPLEMENTED,
      details: expect.stringContaining('Cannot checkpoint a container'),
    });
  });

  it('tells kubelet that pods have no network, and by which driver control groups are managed', async () => {
    const { status, updateRuntimeConfig, runtimeConfig } = RuntimeService.method;
    const podCidr = '10.1.0.0/24,fd00::/64';
    await client.call(updateRuntimeConfig, { runtimeConfig: { networkConfig: { podCidr } } });
    const answer = await client.call(status, { verbose: true });
    expect(answer.status?.conditions).toMatchObject([
      { type: 'RuntimeReady', status: true },
      { type: 'NetworkReady', status: false, reason: 'NetworkNotConfigured' },
    ]);
    expect(JSON.parse(answer.info['config'] ?? '')).toMatchObject({ podCidr });
    expect((await client.call(status, {})).info).toEqual({});
    for (const wrong of ['10.1.0.0', '10.1.0.0/33', '10.1.0.0/24,', 'fd00::/129']) {
      const request = { runtimeConfig: { networkConfig: { podCidr: wrong } } };
      await expect(client.call(updateRuntimeConfig, request)).rejects.toMatchObject({ code: 3 });
    }
    expect([0, 1]).toContain((await client.call(runtimeConfig, {})).linux?.cgroupDriver);
  });

  it('survives clients that send no host, no method, no message or no gRPC', async () => {
    const statuses: unknown[] = [];
    for (const [authority, path] of [
      ['%2Frun%2Fcri.sock', '/runtime.v1.RuntimeService/Version'],
      ['localhost', '//'],
      ['localhost', '/runtime.v1alpha2.RuntimeService/Version'],
      ['localhost', `/${'x'.repeat(4000)}/Version`],
    ] as const) {
      statuses.push((await http2Call(socket, authority, path))[':status']);
    }
    expect(statuses).toEqual([200, 404, 404, 404]);
    const path = '/runtime.v1.RuntimeService/Version';
    await expect(client.raw(path, Buffer.from([0x0a, 0xff]))).rejects.toMatchObject({ code: 13 });
    await expect(client.raw(path, Buffer.alloc(17 * 1024 * 1024))).rejects.toMatchObject({
      code: 8,
    });
    expect(await client.call(version, {})).toMatchObject({ runtimeName: 'a3s-box' });
  });

  it('serves a client that opens connections for each test and closes none, as critest does', async () => {
    const sessions: ClientHttp2Session[] = [];
    try {
      while (sessions.length < 300) {
        const session = connectHttp2('http://localhost', {
          createConnection: () => connectUnix(socket),
        });
        sessions.push(session);
        await answersPing(session);
      }
      expect(await client.call(version, {})).toMatchObject({ runtimeName: 'a3s-box' });
    } finally {
      for (const session of sessions) session.destroy();
    }
  });

  it('ends calls that are under way when it ends', async () => {
    let started: () => void = () => undefined;
    const asked = new Promise<void>((resolve) => {
      started = resolve;
    });
    home.images.list = async () => {
      started();
      return await new Promise(() => undefined);
    };
    const listed = client.call(ImageService.method.listImages, {});
    const ended = expect(listed).rejects.toMatchObject({ code: expect.any(Number) });
    await asked;
    await home.stop();
    await ended;
  });
});

function answersPing(session: ClientHttp2Session): Promise<void> {
  return new Promise((resolve, reject) => {
    session.once('error', reject);
    session.once('connect', () => {
      session.ping((error) => (error === null ? resolve() : reject(error)));
    });
  });
}

/** An empty message, as a client that is no library of gRPC sends it. */
function http2Call(path: string, authority: string, method: string): Promise<IncomingHttpHeaders> {
  return new Promise((resolve, reject) => {
    const session = connectHttp2('http://localhost', {
      createConnection: () => connectUnix(path),
    });
    session.once('error', reject);
    const stream = session.request({
      ':method': 'POST',
      ':authority': authority,
      ':path': method,
      'content-type': 'application/grpc',
      te: 'trailers',
    });
    stream.once('error', reject);
    stream.once('response', (headers) => {
      stream.resume();
      stream.once('close', () => session.close(() => resolve(headers)));
    });
    stream.end(Buffer.alloc(5));
  });
}
