import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestHome } from '../../testing/home.ts';

const home = new TestHome();
beforeAll(async () => {
  await home.start();
});
afterAll(() => home.remove());

describe('an exec that does not start', () => {
  it.each([
    ['a missing program', { Cmd: ['nope'] }],
    ['a program that cannot be executed', { Cmd: ['/etc/passwd'] }],
    ['a missing user', { Cmd: ['true'], User: 'nobodyy' }],
    ['a missing directory', { Cmd: ['true'], WorkingDir: '/missing' }],
    ['a directory that is not absolute', { Cmd: ['true'], WorkingDir: 'tmp' }],
  ])('sets Docker’s exit code 126 for an exec with %s, attached or not', async (_, asked) => {
    const box = await home.create(['sleep', 'infinity']);
    expect((await home.call('POST', `/containers/${box}/start`)).status).toBe(204);
    for (const [Detach, status] of [
      [true, 400],
      [false, 200],
    ] as const) {
      const body = { ...asked, AttachStdout: true, AttachStderr: true };
      const { Id } = (await home.call('POST', `/containers/${box}/exec`, body)).body as {
        Id: string;
      };
      expect((await home.call('POST', `/exec/${Id}/start`, { Detach })).status).toBe(status);
      expect((await home.call('GET', `/exec/${Id}/json`)).body).toMatchObject({
        ...{ Running: false, ExitCode: 126 },
      });
    }
    expect((await home.call('DELETE', `/containers/${box}?force=1`)).status).toBe(204);
  });
});

describe('routes of a swarm', () => {
  const manager =
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';
  it.each([
    ['GET', '/swarm', manager],
    ['GET', '/swarm/unlockkey', manager],
    ['POST', '/swarm/update', manager],
    ['POST', '/swarm/leave?force=1', 'This node is not part of a swarm'],
    [
      ...['PUT', '/volumes/x?version=1'],
      'volume update only valid for cluster volumes, but swarm is unavailable',
    ],
    ...['nodes', 'services', 'tasks', 'secrets', 'configs'].flatMap((noun) => [
      ['GET', `/${noun}`, manager],
      ['GET', `/${noun}/x`, manager],
      ['POST', `/${noun}/create`, manager],
      ['DELETE', `/${noun}/x`, manager],
    ]),
  ])('answers %s %s like a dockerd outside a swarm', async (method, path, message) => {
    const answer = await home.call(method, path, method === 'POST' ? {} : undefined);
    expect(answer).toMatchObject({ status: 503, body: { message, code: 'not-in-swarm' } });
  });

  it.each(['init', 'join'])('refuses POST /swarm/%s as not implemented', async (verb) => {
    expect(await home.call('POST', `/swarm/${verb}`, {})).toMatchObject({
      status: 501,
      body: { code: 'not-implemented' },
    });
  });
});

describe('requests about missing boxes', () => {
  interface Asked {
    readonly method: string;
    readonly path: string;
    readonly body?: object;
  }
  const requests = (box: string): readonly Asked[] => [
    { method: 'GET', path: `/containers/${box}/attach/ws` },
    { method: 'GET', path: `/containers/${box}/archive?path=/` },
    { method: 'HEAD', path: `/containers/${box}/archive?path=/` },
    { method: 'PUT', path: `/containers/${box}/archive?path=/` },
    { method: 'GET', path: `/containers/${box}/changes` },
    { method: 'GET', path: `/containers/${box}/export` },
    { method: 'POST', path: '/networks/bridge/connect', body: { container: box } },
    { method: 'POST', path: '/networks/bridge/disconnect', body: { Container: box } },
    { method: 'POST', path: `/commit?container=${box}` },
  ];

  it.each(requests('gone'))('answers $method $path with 404 for a missing box', async (asked) => {
    const answer = await home.call(asked.method, asked.path, asked.body);
    expect(answer.status).toBe(404);
    if (asked.method !== 'HEAD') expect(answer.body).toMatchObject({ code: 'no-such-box' });
  });

  it.each([
    ['exec', { Cmd: ['x'], Privileged: true }],
    ['update', { BlkioWeight: 500 }],
  ])('answers POST /containers/gone/%s with 404 whatever it requests', async (verb, body) => {
    expect(await home.call('POST', `/containers/gone/${verb}`, body)).toMatchObject({
      status: 404,
      body: { code: 'no-such-box' },
    });
  });

  it('answers a network request with 404 for a missing network', async () => {
    const Container = await home.create(['true']);
    expect(await home.call('POST', '/networks/mine/connect', { Container })).toMatchObject({
      ...{ status: 404, body: { code: 'no-such-network' } },
    });
  });
});

describe('create with a platform', () => {
  const create = (platform: string, image = 'busybox') =>
    home.call('POST', `/containers/create?platform=${platform}`, { Image: image, Cmd: ['x'] });

  it.each(['linux/amd64', 'linux/x86_64', 'Linux/AMD64', 'linux', 'amd64', 'linux/amd64/v2', ''])(
    'accepts the platform %j for an image of linux/amd64',
    async (platform) => {
      expect(await create(platform)).toMatchObject({ status: 201 });
    },
  );

  it.each([
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64/v8'],
    ['windows/amd64', 'windows/amd64'],
    ['foo/bar', 'foo/bar'],
  ])('reports no image for the platform %j in Docker’s words', async (platform, shown) => {
    expect(await create(platform)).toMatchObject({
      status: 404,
      body: {
        code: 'no-such-image',
        message: `image with reference busybox was found but does not match the specified platform: wanted ${shown}, actual: linux/amd64`,
      },
    });
  });

  it('reports a missing image as such, whatever the platform', async () => {
    expect(await create('linux/aarch64', 'nonesuch')).toMatchObject({
      status: 404,
      body: { code: 'no-such-image', message: 'No such image: nonesuch' },
    });
  });

  it.each(['foo', 'a/b/c/d', 'linux/', 'linux/a.b'])(
    'refuses the platform %j',
    async (platform) => {
      expect(await create(platform)).toMatchObject({
        status: 400,
        body: { code: 'invalid-argument' },
      });
    },
  );
});
