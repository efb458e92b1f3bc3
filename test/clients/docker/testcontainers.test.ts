import { once } from 'node:events';
import { rmSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import {
  GenericContainer,
  getContainerRuntimeClient,
  type StartedTestContainer,
  Wait,
} from 'testcontainers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ACTORS, Actor } from '../../e2e/actor.ts';
import { BUSYBOX, type Installation, install } from '../../e2e/installation.ts';
import { scaled } from '../../e2e/time-scale.ts';
import { type Overheard, overhear } from './overheard.ts';

/** What it waits for has two minutes, whatever else the host is busy with. */
const STARTUP_MS = scaled(120_000);
const CONFIDENTIAL =
  'images: [{ pattern: "**", allowUnsigned: true, allowUnsignedConfidential: true }]';
const SERVER = 'echo hello > /tmp/index.html; echo serving; exec httpd -f -p 8080 -h /tmp';

let installation: Installation;
let actor: Actor;
let overheard: Overheard;
const before = { ...process.env };
beforeAll(async () => {
  installation = await install();
  actor = new Actor(ACTORS[0] ?? 'ordinary user', installation);
  await actor.prepare();
  overheard = await overhear(actor.socket);
  Object.assign(process.env, {
    DOCKER_HOST: `unix://${overheard.socket}`,
    // Its reaper would be a container with the engine's socket inside.
    TESTCONTAINERS_RYUK_DISABLED: 'true',
    TESTCONTAINERS_HOST_OVERRIDE: '127.0.0.1',
  });
});
afterAll(async () => {
  process.env = before;
  await overheard.stop();
  await actor.leave();
  installation.remove();
  expect(actor.remains()).toEqual([]);
  expect(overheard.wrong).toEqual([]);
});

const sh = (script: string): GenericContainer =>
  new GenericContainer(BUSYBOX)
    .withCommand(['sh', '-c', script])
    .withNetworkMode('none')
    .withStartupTimeout(STARTUP_MS);

const boxes = (): Promise<string> => actor.ok(['ps', '--all', '--format', '{{.Names}} {{.State}}']);

describe('testcontainers', () => {
  let server: StartedTestContainer;

  it('testcontainers starts a server, and waits until its ports are open', async () => {
    server = await new GenericContainer(BUSYBOX)
      .withCommand(['sh', '-c', SERVER])
      .withName('server')
      .withLabels({ suite: 'testcontainers' })
      .withEnvironment({ COLOR: 'blue' })
      .withExposedPorts(8080)
      .withStartupTimeout(STARTUP_MS)
      .withWaitStrategy(Wait.forListeningPorts())
      .start();
    expect(await get(server.getHost(), server.getMappedPort(8080))).toBe('hello\n');
    expect(server.getName()).toBe('/server');
    expect(server.getLabels()).toMatchObject({ suite: 'testcontainers' });
    expect(await boxes()).toBe('server running');
  });

  it('testcontainers runs commands in a box', async () => {
    expect(await server.exec(['sh', '-c', 'echo out; echo err >&2; exit 4'])).toMatchObject({
      ...{ stdout: 'out\n', stderr: 'err\n', exitCode: 4 },
    });
    const options = { env: { SHAPE: 'round' }, user: 'user', workingDir: '/tmp' };
    expect(
      (await server.exec(['sh', '-c', 'echo $COLOR $SHAPE; id -un; pwd'], options)).output,
    ).toBe('blue round\nuser\n/tmp\n');
  });

  it('testcontainers follows the output of a box', async () => {
    const logs = await server.logs();
    expect((await once(createInterface({ input: logs }), 'line'))[0]).toBe('serving');
    logs.destroy();
  });

  it('testcontainers restarts a box, which answers at its new port', async () => {
    await server.restart();
    expect(await get(server.getHost(), server.getMappedPort(8080))).toBe('hello\n');
  });

  it('testcontainers stops a box and keeps it, then removes it', async () => {
    const stopped = await server.stop({ remove: false });
    expect(await boxes()).toBe('server exited');
    expect(stopped.getId()).toBe(server.getId());
    await actor.ok(['rm', 'server']);
  });

  it('testcontainers waits for a line of the log, and passes the output on', async () => {
    const lines: string[] = [];
    const started = await sh('sleep 1; echo nearly; echo ready at last; sleep 1000')
      .withLogConsumer((stream: Readable) => {
        createInterface({ input: stream }).on('line', (line) => lines.push(line));
      })
      .withWaitStrategy(Wait.forLogMessage(/ready at .*/))
      .start();
    await expect.poll(() => lines).toEqual(['nearly', 'ready at last']);
    await started.stop();
    expect(await boxes()).toBe('');
  });

  it('testcontainers waits for a health check', async () => {
    const started = await sh('sleep 1; touch /tmp/well; sleep 1000')
      .withHealthCheck({ test: ['CMD-SHELL', 'test -e /tmp/well'], interval: 500, retries: 100 })
      .withWaitStrategy(Wait.forHealthCheck())
      .start();
    expect(await actor.ok(['ps', '--format', '{{.Status}}'])).toContain('(healthy)');
    await started.stop();
  });

  it('testcontainers waits for a command, for an HTTP answer, and for several conditions', async () => {
    const started = await new GenericContainer(BUSYBOX)
      .withCommand(['sh', '-c', SERVER])
      .withExposedPorts(8080)
      .withStartupTimeout(STARTUP_MS)
      .withWaitStrategy(
        Wait.forAll([
          Wait.forSuccessfulCommand('test -e /tmp/index.html'),
          Wait.forHttp('/', 8080).forStatusCode(200),
          Wait.forLogMessage('serving'),
        ]),
      )
      .start();
    await started.stop();
  });

  it('testcontainers waits for the end of a one-shot box', async () => {
    const started = await sh('echo done').withWaitStrategy(Wait.forOneShotStartup()).start();
    const logs = await started.logs();
    expect((await once(createInterface({ input: logs }), 'line'))[0]).toBe('done');
    await started.stop();
    expect(await boxes()).toBe('');
  });

  it('testcontainers reports a box that fails to start, and leaves nothing of it', async () => {
    const failing = sh('exit 3').withWaitStrategy(Wait.forOneShotStartup());
    await expect(failing.start()).rejects.toThrow('Container failed to start');
    await expect(sh('true').withIpcMode('host').start()).rejects.toThrow('HostConfig.IpcMode');
    expect(await boxes()).toBe('');
    await expect.poll(() => actor.boxProcesses()).toEqual([]);
  });

  it('testcontainers asks for a confidential box by annotations', async () => {
    const { container } = await getContainerRuntimeClient();
    const create = (annotations: Readonly<Record<string, string>>) => {
      const HostConfig = { NetworkMode: 'none', Annotations: annotations };
      return container.create({ Image: BUSYBOX, Cmd: ['true'], HostConfig });
    };
    const policy = join(actor.home, 'image-policy.yaml');
    writeFileSync(policy, CONFIDENTIAL, { mode: 0o644 });
    try {
      const { id } = await create({ 'dev.a3s.tee': 'simulate', 'dev.a3s.host-may': 'logs' });
      const [shown] = JSON.parse(await actor.ok(['inspect', id]));
      expect(shown.Confidential).toMatchObject({ Tee: 'simulate', HostMay: ['logs'] });
      await actor.ok(['rm', id]);
      await expect(create({ 'dev.a3s.te': 'simulate' })).rejects.toThrow(
        /no annotation dev\.a3s\.te/,
      );
    } finally {
      rmSync(policy);
    }
  });

  it('testcontainers sets limits that are enforced', async () => {
    const started = await sh('sleep 1000')
      .withResourcesQuota({ memory: 0.0625, cpu: 0.5 })
      .withUlimits({ nofile: { soft: 100, hard: 200 } })
      .withWaitStrategy(Wait.forSuccessfulCommand('true'))
      .start();
    expect((await started.exec(['sh', '-c', 'ulimit -n; ulimit -Hn'])).stdout).toBe('100\n200\n');
    await started.stop();
  });
});

/** The body that `GET /` answers with. */
function get(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const call = request({ host, port, path: '/', agent: false }, (response) => {
      let body = '';
      response.setEncoding('utf8');
      response.on('data', (chunk: string) => {
        body += chunk;
      });
      response.on('end', () => resolve(body));
    });
    call.on('error', reject);
    call.end();
  });
}
