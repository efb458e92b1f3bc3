import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BRIDGE } from '../../../networks/predefined.ts';
import { TestHome } from '../../testing/home.ts';

const DEADLINE = { timeout: 60_000 };
let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
});
afterEach(() => home.remove());

async function call(method: 'POST' | 'DELETE', path: string, body?: unknown) {
  const answer = await home.call(method, path, body);
  return { ...answer, ...(answer.body as { code?: string; message?: string }) };
}

interface More {
  readonly host?: object;
  readonly Env?: readonly string[];
  readonly Egress?: object;
}

function create(name: string, Links: readonly string[] = [], more: More = {}) {
  return call('POST', `/containers/create?name=${name}`, {
    ...(more.Egress === undefined ? {} : { Egress: more.Egress }),
    ...{ Image: 'busybox', Cmd: ['sleep', 'infinity'], Hostname: `${name}-host` },
    Env: more.Env ?? ['SECRET=1', 'HOME=/x', 'EMPTY='],
    ...{ ExposedPorts: { '81/tcp': {}, '80/tcp': {} }, HostConfig: { Links, ...more.host } },
  });
}

async function created(...asked: Parameters<typeof create>): Promise<string> {
  const answer = await create(...asked);
  expect(answer.status).toBe(201);
  return (answer.body as { Id: string }).Id;
}

const start = (id: string) => call('POST', `/containers/${id}/start`);

async function started(...asked: Parameters<typeof create>): Promise<string> {
  const id = await created(...asked);
  expect((await start(id)).status).toBe(204);
  return id;
}

async function end(id: string): Promise<void> {
  await call('POST', `/containers/${id}/kill`);
  await expect.poll(() => home.runtime.store.get(id)?.state.status, DEADLINE).toBe('exited');
}

const inspect = async (id: string) => (await home.call('GET', `/containers/${id}/json`)).body;
const envOf = (id: string) => home.agents.get(id)?.spec?.process.env ?? [];
const cardsOf = (id: string) =>
  home.agents.get(id)?.networks?.cards.map(({ device, address }) => `${device} ${address}`);
const linesOf = (id: string) =>
  home.agents.get(id)?.networks?.hosts?.map(({ name, address }) => `${address} ${name}`);
const reaches = (id: string) => home.hostNetworks.placesOf(id).map((place) => place.reaches);
const recorded = () => home.runtime.networks.all();

describe('a link in bridge', () => {
  it('leads to the other box alone, by a card of each, before the main process runs', async () => {
    const one = await started('one');
    expect(home.agents.get(one)?.networks).toBeUndefined();
    const [two, three] = [await started('two', ['one:db']), await started('three', ['one'])];
    expect(cardsOf(two)).toEqual(['eth0 10.0.2.15', 'eth1 10.89.0.128']);
    expect(cardsOf(one)).toEqual(['eth0 10.0.2.15', 'eth1 10.89.0.2']);
    expect(home.agents.get(two)?.networks?.gateway).toEqual({
      ...{ device: 'eth0', address: '10.0.2.2' },
    });
    expect(home.agents.get(two)?.networks?.nameservers).toEqual(['10.0.2.3']);
    expect(linesOf(two)).toEqual(['10.89.0.2 db', '10.89.0.2 one', '10.89.0.2 one-host']);
    expect(linesOf(three)).toEqual(['10.89.0.2 one', '10.89.0.2 one-host']);
    expect(linesOf(one)).toBeUndefined();
    // No box reaches another one that it is not linked to, the DNS server or the host.
    expect([one, two, three].map(reaches)).toEqual([
      ...[['10.89.0.128/25'], ['10.89.0.2'], ['10.89.0.2']],
    ]);
    for (const id of [one, two, three]) {
      const [place] = home.hostNetworks.placesOf(id);
      expect(place).toMatchObject({ network: { internal: true }, ports: [] });
      expect(place).not.toHaveProperty('host');
    }
  });

  it('gives the variables that Docker documents, under those of the box', async () => {
    await started('one');
    const two = await started('two', ['one:my-db'], { Env: ['MY_DB_PORT=own'] });
    const address = '10.89.0.2';
    expect(
      envOf(two)
        .filter((entry) => entry.startsWith('MY_DB_'))
        .sort(),
    ).toEqual([
      ...['MY_DB_ENV_EMPTY=', 'MY_DB_ENV_FROM_IMAGE=yes', 'MY_DB_ENV_SECRET=1'],
      'MY_DB_NAME=/two/my-db',
      'MY_DB_PORT=own',
      `MY_DB_PORT_80_TCP=tcp://${address}:80`,
      `MY_DB_PORT_80_TCP_ADDR=${address}`,
      `MY_DB_PORT_80_TCP_END=tcp://${address}:81`,
      ...['MY_DB_PORT_80_TCP_PORT=80', 'MY_DB_PORT_80_TCP_PORT_END=81'],
      ...['MY_DB_PORT_80_TCP_PORT_START=80', 'MY_DB_PORT_80_TCP_PROTO=tcp'],
      `MY_DB_PORT_80_TCP_START=tcp://${address}:80`,
      `MY_DB_PORT_81_TCP=tcp://${address}:81`,
      `MY_DB_PORT_81_TCP_ADDR=${address}`,
      ...['MY_DB_PORT_81_TCP_PORT=81', 'MY_DB_PORT_81_TCP_PROTO=tcp'],
    ]);
    const { body } = await call('POST', `/containers/${two}/exec`, { Cmd: ['env'] });
    const exec = home.runtime.execs.expect((body as unknown as { Id: string }).Id);
    expect(exec.process.env).toContain('MY_DB_NAME=/two/my-db');
    expect(await inspect(two)).toMatchObject({
      Config: { Env: expect.arrayContaining(['MY_DB_PORT=own']) },
    });
  });

  it('shows a link as Docker does, and its network to nobody', async () => {
    const one = await started('one');
    const two = await started('two', ['one:db', 'one:db', `${one.slice(0, 12)}:again`]);
    expect(await inspect(two)).toMatchObject({
      HostConfig: { Links: ['/one:/two/db', '/one:/two/again'], NetworkMode: 'bridge' },
      NetworkSettings: { Networks: { bridge: { Links: null, IPAddress: '10.0.2.15' } } },
    });
    const { body } = await home.call('GET', '/containers/json');
    expect((body as { Names: string[] }[]).map(({ Names }) => Names)).toEqual([
      ...[['/two'], ['/one', '/two/db', '/two/again']],
    ]);
    expect(await inspect('two/db')).toMatchObject({ Id: one, Name: '/one' });
    const listed = await home.call('GET', '/networks');
    expect((listed.body as unknown[]).length).toBe(2);
    const [network] = recorded();
    for (const reference of [network?.id, network?.name]) {
      expect((await home.call('GET', `/networks/${reference}`)).status).toBe(404);
    }
    await call('POST', '/networks/prune');
    expect(recorded()).toEqual([network]);
  });

  it('needs the other box to run, and ends with it; its network is gone with the last', async () => {
    const one = await created('one');
    const two = await created('two', ['one:db']);
    expect(await start(two)).toMatchObject({
      ...{ status: 409, code: 'box-not-running' },
      message: 'Cannot link to a non running container: /one AS /two/db',
    });
    expect(await inspect(two)).toMatchObject({ State: { Status: 'created' } });
    expect(recorded()).toEqual([]);
    await start(one);
    await start(two);
    await end(one);
    expect(reaches(one)).toEqual([]);
    expect(recorded()).toHaveLength(1);
    // It is found at the same address.
    await start(one);
    expect(cardsOf(one)).toEqual(['eth0 10.0.2.15', 'eth1 10.89.0.2']);
    await end(one);
    await call('DELETE', `/containers/${one}`);
    expect(await inspect(two)).toMatchObject({ HostConfig: { Links: null } });
    await end(two);
    expect(recorded()).toEqual([]);
    await started('one');
    expect((await start(two)).status).toBe(204);
    expect(cardsOf(two)).toBeUndefined();
  });

  it('outlives the server, and what a crash left without boxes does not', async () => {
    const [one, two] = [await started('one'), await started('two', ['one:db'])];
    const other = await started('other');
    const three = await started('three', ['other:db']);
    await home.crash();
    for (const id of [other, three]) home.host.vm(id)?.crash();
    await home.start();
    await expect.poll(() => recorded().length, DEADLINE).toBe(1);
    expect([one, two, other, three].map((id) => reaches(id).length)).toEqual([1, 1, 0, 0]);
    expect(linesOf(two)).toContain('10.89.0.2 db');
  });

  it('starts both boxes again after a reboot, whichever comes first', async () => {
    const host = { RestartPolicy: { Name: 'always' } };
    const one = await started('one', [], { host });
    const two = await started('two', ['one:db'], { host });
    await home.crash();
    for (const id of [one, two]) home.host.vm(id)?.crash();
    home.afterReboot = true;
    await home.start();
    const status = () => home.runtime.store.get(two)?.state.status;
    await expect.poll(status, DEADLINE).toBe('running');
    expect(linesOf(two)).toContain('10.89.0.2 db');
    expect([reaches(one), reaches(two)]).toEqual([['10.89.0.128/25'], ['10.89.0.2']]);
  });

  it('removes a link while both boxes run, and leaves others', async () => {
    const one = await started('one');
    const two = await started('two', ['one:db', 'one:again']);
    expect((await call('DELETE', '/containers/two/db?link=1')).status).toBe(204);
    expect(linesOf(two)).toEqual(['10.89.0.2 again', '10.89.0.2 one', '10.89.0.2 one-host']);
    expect(reaches(two)).toEqual(['10.89.0.2']);
    expect((await call('DELETE', '/containers/two%2Fagain?link=1')).status).toBe(204);
    expect(linesOf(two)).toBeUndefined();
    expect([reaches(two), cardsOf(two)]).toEqual([[], ['eth0 10.0.2.15']]);
    expect(await inspect(two)).toMatchObject({ HostConfig: { Links: null } });
    expect(await call('DELETE', '/containers/two/db?link=1')).toMatchObject({ status: 404 });
    expect(await call('DELETE', `/containers/${one}?link=1`)).toMatchObject({
      ...{ status: 409, message: 'Conflict, cannot remove the default link name of the container' },
    });
    expect((await inspect(one)) as object).toMatchObject({ State: { Running: true } });
  });

  it('ends for a box that leaves bridge, and leads to none that has left it', async () => {
    await started('one');
    const two = await started('two', ['one:db']);
    await call('POST', '/networks/bridge/disconnect', { Container: 'two' });
    expect([reaches(two), cardsOf(two), linesOf(two)]).toEqual([[], [], undefined]);
    await call('POST', '/networks/bridge/disconnect', { Container: 'one' });
    const three = await created('three', ['one:db']);
    expect(await start(three)).toMatchObject({
      message: expect.stringContaining('not attached to default bridge network'),
    });
    expect(recorded()).toEqual([]);
  });

  it('does not change a paused box, and undoes what its guest refuses', async () => {
    const one = await started('one');
    const two = await created('two', ['one:db']);
    await call('POST', `/containers/${one}/pause`);
    expect(await start(two)).toMatchObject({
      ...{ status: 409, message: 'Cannot link to one: it is paused' },
    });
    await call('POST', `/containers/${one}/unpause`);
    home.hostNetworks.failure = new Error('no device');
    expect((await start(two)).status).toBe(500);
    expect([recorded(), reaches(one), reaches(two)]).toEqual([[], [], []]);
    expect((await start(two)).status).toBe(204);
  });

  it('refuses a link that would lead nowhere, before anything is changed', async () => {
    await started('one');
    expect(await create('two', ['gone:db'])).toMatchObject({
      ...{ status: 400, code: 'invalid-argument' },
      message: 'could not get container for gone: No such container: gone',
    });
    expect(await create('two', ['one:a:b'])).toMatchObject({ status: 400 });
    for (const host of [{ NetworkMode: 'none' }, { NetworkMode: 'host' }]) {
      expect(await create('two', ['one:db'], { host })).toMatchObject({
        ...{ status: 400, code: 'unsupported-option' },
      });
    }
    home.hostNetworks.answer = { available: false, reason: 'netavark is not installed' };
    const two = await created('two', ['one:db']);
    expect(await start(two)).toMatchObject({
      code: 'network-unavailable',
      message: 'Cannot link boxes in bridge: netavark is not installed',
    });
  });

  it('leaves the network policy of a box to its own network', async () => {
    await started('one');
    const Egress = { Rules: ['allow:example.com'] };
    const two = await started('two', ['one:db'], { Egress });
    expect(home.hostNetworks.placesOf(two)).toMatchObject([
      { network: { id: BRIDGE.id }, egress: { policies: [{ of: 'box' }] } },
      { reaches: '10.89.0.2' },
    ]);
    expect(home.hostNetworks.placesOf(two)[1]).not.toHaveProperty('egress');
  });

  it('refuses memory snapshots of both boxes of a link', async () => {
    await started('one');
    await started('two', ['one:db']);
    for (const Box of ['one', 'two']) {
      const answer = await call('POST', '/a3s/v1/snapshots', { box: Box, memory: true });
      expect(answer).toMatchObject({ code: 'unsupported-option' });
      expect(answer.message).toContain('it is linked to another box');
    }
  });
});
