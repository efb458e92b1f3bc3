import { mkdir, rm, symlink } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestHome } from '../testing/home.ts';

const home = new TestHome();
/** Box ids by name; each name is the state of its box. */
const ids = {} as Record<'made' | 'runs' | 'ended' | 'paused', string>;

async function create(name: string, more: Record<string, unknown>): Promise<string> {
  const body = { Image: 'busybox', Cmd: ['sleep', 'infinity'], ...more };
  const answer = await home.call('POST', `/containers/create?name=${name}`, body);
  return (answer.body as { Id: string }).Id;
}

async function post(path: string, status = 204): Promise<void> {
  expect(await home.call('POST', path)).toMatchObject({ status });
}

beforeAll(async () => {
  await home.start();
  ids.made = await create('made', { Labels: { a: 'b' }, ExposedPorts: { '81/tcp': {} } });
  ids.runs = await create('runs', {
    HostConfig: {
      Binds: ['/tmp:/data'],
      PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1', HostPort: '' }] },
    },
  });
  ids.ended = await create('ended', {
    Cmd: ['sh', '-c', 'exit 7'],
    HostConfig: { NetworkMode: 'none' },
  });
  ids.paused = await create('paused', { ExposedPorts: { '90/udp': {} } });
  for (const id of [ids.runs, ids.ended, ids.paused]) await post(`/containers/${id}/start`);
  await post(`/containers/${ids.ended}/wait`, 200);
  await post(`/containers/${ids.paused}/pause`);
  const log = [{ start: 'a', end: 'b', exitCode: 1, output: 'no' }];
  home.runtime.store.amend(ids.runs, {
    health: { status: 'unhealthy', failingStreak: 3, log },
  });
});
afterAll(() => home.remove());

async function names(query: string): Promise<string[]> {
  const { status, body } = await home.call('GET', `/v1.43/containers/json?${query}`);
  expect(status).toBe(200);
  return (body as { Names: string[] }[]).flatMap(({ Names }) => Names.map((name) => name.slice(1)));
}

function filtered(filters: Record<string, readonly string[]>): string {
  return `filters=${encodeURIComponent(JSON.stringify(filters))}`;
}

describe('GET /containers/json', () => {
  it('lists running and paused boxes, newest first, all boxes with all=1, and at most limit', async () => {
    expect(await names('')).toEqual(['paused', 'runs']);
    expect(await names('all=1')).toEqual(['paused', 'ended', 'runs', 'made']);
    expect(await names('limit=3')).toEqual(['paused', 'ended', 'runs']);
  });

  it.each([
    [{ status: ['paused'] }, ['paused']],
    [{ status: ['exited', 'created'] }, ['ended', 'made']],
    [{ status: ['restarting'] }, []],
    [{ exited: ['7'] }, ['ended']],
    [{ exited: ['0'] }, []],
    [{ health: ['unhealthy'] }, ['runs']],
    [{ health: ['none'] }, ['paused', 'ended', 'made']],
    [{ 'is-task': ['true'] }, []],
    [{ 'is-task': ['false'] }, ['paused', 'ended', 'runs', 'made']],
    [{ label: ['a'] }, ['made']],
    [{ label: ['a=b', 'origin=image'] }, ['made']],
    [{ name: ['ed'] }, ['paused', 'ended']],
    [{ name: ['^/ended$'] }, ['ended']],
    [{ name: ['^run'] }, ['runs']],
    [{ name: ['ns$'] }, ['runs']],
    [{ name: ['.*'] }, []],
    [{ network: ['none'] }, ['ended']],
    [{ network: ['bridge'] }, ['paused', 'runs', 'made']],
    [{ publish: ['1024-65535/tcp'] }, ['runs']],
    [{ publish: ['1024-65535'] }, ['runs']],
    // The filter compares the published port, not the port of the box.
    [{ publish: ['80'] }, []],
    [{ publish: ['1024-65535/udp'] }, []],
    [{ expose: ['81/tcp'] }, ['made']],
    [{ expose: ['80-99/udp'] }, ['paused']],
    [{ volume: ['/data'] }, ['runs']],
    [{ volume: ['/tmp'] }, ['runs']],
    [{ ancestor: ['busybox'] }, ['paused', 'ended', 'runs', 'made']],
    [{ ancestor: ['busybox:latest'] }, ['paused', 'ended', 'runs', 'made']],
    [{ ancestor: ['nope'] }, []],
    [{ before: ['ended'] }, ['runs', 'made']],
    [{ since: ['ended'] }, ['paused']],
  ])('lists the boxes that match the filters %j', async (filters, expected) => {
    expect(await names(`all=1&${filtered(filters)}`)).toEqual(expected);
  });

  it('finds boxes by the id of their image and by a prefix of their own id', async () => {
    const { body } = await home.call('GET', '/images/busybox/json');
    const { Id } = body as { Id: string };
    for (const ancestor of [Id, Id.slice(0, 19), Id.slice(7, 19)]) {
      expect(await names(`all=1&${filtered({ ancestor: [ancestor] })}`)).toHaveLength(4);
    }
    expect(await names(`all=1&${filtered({ id: [ids.ended.slice(0, 12)] })}`)).toEqual(['ended']);
  });

  it.each([
    [{ status: ['up'] }],
    [{ health: ['fine'] }],
    [{ 'is-task': ['maybe'] }],
    [{ exited: ['x'] }],
    [{ publish: ['x'] }],
    [{ expose: ['80/icmp'] }],
    [{ isolation: ['hyperv'] }],
    [{ valueOf: ['x'] }],
  ])('refuses the box filters %j', async (filters) => {
    expect(await home.call('GET', `/containers/json?${filtered(filters)}`)).toMatchObject({
      status: 400,
      body: { code: 'invalid-argument', message: expect.stringContaining('invalid filter') },
    });
  });

  it('shows the disk usage of boxes only on request', async () => {
    const { body } = await home.call('GET', '/containers/json?all=1&size=1');
    for (const each of body as unknown[]) {
      expect(each).toMatchObject({ SizeRw: expect.any(Number), SizeRootFs: expect.any(Number) });
    }
    const one = await home.call('GET', `/containers/${ids.made}/json?size=1`);
    expect(one.body).toMatchObject({ SizeRw: 0, SizeRootFs: expect.any(Number) });
    const plain = await home.call('GET', `/containers/${ids.made}/json`);
    expect(plain.body).not.toHaveProperty('SizeRw');
  });

  it('lists a box whose size cannot be computed without a size, and the others with theirs', async () => {
    const directory = join(home.config.home, 'boxes', ids.made);
    const disk = join(directory, 'changes.ext4');
    await mkdir(directory, { recursive: true });
    await symlink(disk, disk);
    const { status, body } = await home.call('GET', '/containers/json?all=1&size=1');
    await rm(disk);
    expect(status).toBe(200);
    const sized = (body as { Id: string; SizeRw?: number }[]).map(
      ({ Id, SizeRw }) => [Id === ids.made, SizeRw === undefined] as const,
    );
    expect(sized.length).toBeGreaterThan(1);
    expect(sized.every(([broken, without]) => broken === without)).toBe(true);
  });
});

it('shows the state of a box in Docker’s words in inspect and in the list', async () => {
  const state = async (id: string) =>
    ((await home.call('GET', `/containers/${id}/json`)).body as { State: unknown }).State;
  expect(await state(ids.paused)).toMatchObject({
    ...{ Status: 'paused', Running: true, Paused: true, Restarting: false, ExitCode: 0 },
  });
  expect(await state(ids.runs)).toMatchObject({
    Status: 'running',
    Health: {
      ...{ Status: 'unhealthy', FailingStreak: 3 },
      Log: [{ Start: 'a', End: 'b', ExitCode: 1, Output: 'no' }],
    },
  });
  expect(await state(ids.ended)).toMatchObject({
    ...{ Status: 'exited', Running: false, Pid: 0, ExitCode: 7 },
  });
  const { body } = await home.call('GET', '/containers/json');
  expect(body).toMatchObject([
    { State: 'paused', Status: expect.stringMatching(/^Up .* \(Paused\)$/) },
    {
      Status: expect.stringMatching(/^Up .* \(unhealthy\)$/),
      NetworkSettings: { Networks: { bridge: { IPAddress: expect.stringMatching(/^\d/) } } },
    },
  ]);
});

describe('information about the server', () => {
  it.each(['GET', 'HEAD'])(
    'answers %s /_ping with the headers that clients depend on',
    async (method) => {
      for (const prefix of ['', '/v1.43', '/v1.44', '/v1.45']) {
        const { status, headers, body } = await home.call(method, `${prefix}/_ping`);
        expect(status).toBe(200);
        expect(body).toBe(method === 'HEAD' ? undefined : 'OK');
        expect(headers).toMatchObject({
          ...{ 'api-version': '1.45', 'docker-experimental': 'false', ostype: 'linux' },
          ...{ 'builder-version': '2', swarm: 'inactive', pragma: 'no-cache' },
        });
      }
    },
  );

  it('counts the boxes of each state, and shows the supported limits', async () => {
    expect((await home.call('GET', '/v1.44/info')).body).toMatchObject({
      ...{ Containers: 4, ContainersRunning: 1, ContainersPaused: 1, ContainersStopped: 2 },
      ...{ MemoryLimit: true, SwapLimit: false, PidsLimit: true, CPUShares: true, CPUSet: true },
      ...{ OomKillDisable: false, LoggingDriver: 'json-file', CgroupVersion: '2' },
      Plugins: { Log: ['json-file', 'local', 'none'] },
    });
  });

  it.each(['/v1.23/info', '/v1.99/info', '/v2.0/info', '/v1.45.1/info'])(
    'refuses the unsupported path %s',
    async (path) => {
      const { status, body } = await home.call('GET', path);
      expect([400, 404]).toContain(status);
      expect(body).toHaveProperty('code');
    },
  );

  it.each([
    ['container', ['Containers']],
    ['image', ['Images', 'LayersSize']],
    ['volume', ['Volumes']],
    ['build-cache', ['BuildCache', 'BuilderSize']],
  ])('restricts system/df to the type %s', async (type, keys) => {
    const { body } = await home.call('GET', `/system/df?type=${type}`);
    expect(Object.keys(body as object).sort()).toEqual(keys);
  });
});

describe('GET /containers/{id}/json', () => {
  it('shows an exposed port without a host port, while the box runs', async () => {
    const portsOf = async (name: string): Promise<unknown> => {
      const { body } = await home.call('GET', `/containers/${name}/json`);
      return (body as { NetworkSettings: { Ports: unknown } }).NetworkSettings.Ports;
    };
    expect(await portsOf('paused')).toEqual({ '90/udp': null });
    expect(await portsOf('made')).toEqual({});
    expect(await portsOf('runs')).toEqual({
      '80/tcp': [{ HostIp: '127.0.0.1', HostPort: expect.stringMatching(/^\d+$/) }],
    });
  });
});

describe('GET /events', () => {
  async function events(filters: Record<string, readonly string[]>, since = true) {
    const range = since ? 'since=1&' : '';
    const { body } = await home.call('GET', `/events?${range}until=2&${filtered(filters)}`);
    return body;
  }

  /** The actions of past events: `until` ends the stream. */
  async function past(filters: Record<string, readonly string[]>, since = 'since=1&') {
    const until = `until=${((Date.now() + 1) / 1000).toFixed(3)}`;
    const { body } = await home.call('GET', `/events?${since}${until}&${filtered(filters)}`);
    const text = typeof body === 'string' ? body : JSON.stringify(body ?? '');
    return text
      .split('\n')
      .filter((line) => line.startsWith('{'))
      .map((line) => (JSON.parse(line) as { Action: string }).Action);
  }

  it.each([
    [{ container: ['ended'], event: ['create', 'die'] }, ['create', 'die']],
    [{ container: ['ended'], type: ['image'] }, []],
    [{ container: ['nope'] }, []],
    [{ image: ['busybox'], event: ['pause'] }, ['pause']],
    [{ label: ['a=b'] }, ['create']],
    [{ type: ['network'] }, []],
    [{ network: ['bridge'] }, []],
    [{ volume: ['x'] }, []],
    [{ daemon: ['x'] }, []],
    [{ scope: ['swarm'] }, []],
    [{ scope: ['local'], event: ['pause'] }, ['pause']],
  ])('lists past events that match %j', async (filters, actions) => {
    expect(await past(filters)).toEqual(actions);
  });

  it('lists past events up to until, and none before since', async () => {
    expect(await past({ event: ['pause'] }, '')).toEqual(['pause']);
    expect(await events({}, false)).toBeUndefined();
    expect(await events({})).toBeUndefined();
  });

  it('refuses an unknown event filter', async () => {
    expect(
      await home.call('GET', `/events?until=1&${filtered({ toString: ['x'] })}`),
    ).toMatchObject({ status: 400, body: { code: 'invalid-argument' } });
  });
});
