import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestHome } from '../../testing/home.ts';

const home = new TestHome();
beforeAll(async () => {
  await home.start();
});
afterAll(() => home.remove());

describe('an exec that does not start has Docker’s exit code 126', () => {
  it.each([
    ['a missing program', { Cmd: ['nope'] }],
    ['a program that cannot be executed', { Cmd: ['/etc/passwd'] }],
    ['a missing user', { Cmd: ['true'], User: 'nobodyy' }],
    ['a missing directory', { Cmd: ['true'], WorkingDir: '/missing' }],
    ['a directory that is not absolute', { Cmd: ['true'], WorkingDir: 'tmp' }],
  ])('for %s, attached or not', async (_, asked) => {
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

describe('routes of a swarm answer as a dockerd that is in none', () => {
  const manager =
    'This node is not a swarm manager. Use "docker swarm init" or "docker swarm join" to connect this node to swarm and try again.';
  it.each([
    ['GET', '/swarm', manager],
    ['GET', '/swarm/unlockkey', manager],
    ['POST', '/swarm/update', manager],
    ['POST', '/swarm/leave?force=1', 'This node is not part of a swarm'],
    ...['nodes', 'services', 'tasks', 'secrets', 'configs'].flatMap((noun) => [
      ['GET', `/${noun}`, manager],
      ['GET', `/${noun}/x`, manager],
      ['POST', `/${noun}/create`, manager],
      ['DELETE', `/${noun}/x`, manager],
    ]),
  ])('%s %s', async (method, path, message) => {
    const answer = await home.call(method, path, method === 'POST' ? {} : undefined);
    expect(answer).toMatchObject({ status: 503, body: { message, code: 'not-in-swarm' } });
  });

  it.each(['init', 'join'])('and POST /swarm/%s is refused, as there can be none', async (verb) => {
    expect(await home.call('POST', `/swarm/${verb}`, {})).toMatchObject({
      status: 501,
      body: { code: 'not-implemented' },
    });
  });
});

describe('what a request names is looked for before the request is refused', () => {
  interface Asked {
    readonly method: string;
    readonly path: string;
    readonly body?: object;
  }
  const requests = (box: string): readonly Asked[] => [
    { method: 'GET', path: `/containers/${box}/archive?path=/` },
    { method: 'HEAD', path: `/containers/${box}/archive?path=/` },
    { method: 'PUT', path: `/containers/${box}/archive?path=/` },
    { method: 'GET', path: `/containers/${box}/changes` },
    { method: 'GET', path: `/containers/${box}/export` },
    { method: 'GET', path: `/containers/${box}/attach/ws` },
    { method: 'POST', path: `/commit?container=${box}` },
    { method: 'POST', path: '/networks/bridge/connect', body: { container: box } },
    { method: 'POST', path: '/networks/bridge/disconnect', body: { Container: box } },
  ];

  it.each(requests('gone'))('$method $path is 404 for a box that is gone', async (asked) => {
    const answer = await home.call(asked.method, asked.path, asked.body);
    expect(answer.status).toBe(404);
    if (asked.method !== 'HEAD') expect(answer.body).toMatchObject({ code: 'no-such-box' });
  });

  it.each([
    ['exec', { Cmd: ['x'], Privileged: true }],
    ['update', { BlkioWeight: 500 }],
  ])('POST /containers/gone/%s is 404, whatever it asks for', async (verb, body) => {
    expect(await home.call('POST', `/containers/gone/${verb}`, body)).toMatchObject({
      status: 404,
      body: { code: 'no-such-box' },
    });
  });

  it('and 501 for one that is there', async () => {
    const box = await home.create(['true']);
    for (const { method, path, body } of requests(box)) {
      expect(await home.call(method, path, body)).toMatchObject({ status: 501 });
    }
  });

  it('and the network too', async () => {
    expect(await home.call('POST', '/networks/mine/connect', {})).toMatchObject({
      ...{ status: 404, body: { code: 'no-such-network' } },
    });
  });
});

describe('create with a platform', () => {
  const create = (platform: string, image = 'busybox') =>
    home.call('POST', `/containers/create?platform=${platform}`, { Image: image, Cmd: ['x'] });

  it.each(['linux/amd64', 'linux/x86_64', 'Linux/AMD64', 'linux', 'amd64', 'linux/amd64/v2', ''])(
    'takes %j for an image of linux/amd64',
    async (platform) => {
      expect(await create(platform)).toMatchObject({ status: 201 });
    },
  );

  it.each([
    ['linux/aarch64', 'linux/arm64'],
    ['linux/arm64/v8', 'linux/arm64/v8'],
    ['windows/amd64', 'windows/amd64'],
    ['foo/bar', 'foo/bar'],
  ])('has no image for %j, in Docker’s words', async (platform, shown) => {
    expect(await create(platform)).toMatchObject({
      status: 404,
      body: {
        code: 'no-such-image',
        message: `image with reference busybox was found but does not match the specified platform: wanted ${shown}, actual: linux/amd64`,
      },
    });
  });

  it('has no image where there is none at all', async () => {
    expect(await create('linux/aarch64', 'nonesuch')).toMatchObject({
      status: 404,
      body: { code: 'no-such-image', message: 'No such image: nonesuch' },
    });
  });

  it.each(['foo', 'a/b/c/d', 'linux/', 'linux/a.b'])('refuses %j', async (platform) => {
    expect(await create(platform)).toMatchObject({
      status: 400,
      body: { code: 'invalid-argument' },
    });
  });
});
