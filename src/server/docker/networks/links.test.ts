import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestHome } from '../../testing/home.ts';

const DEADLINE = { timeout: 60_000 };
let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
  for (const [Name, third] of [
    ['db', 2],
    ['web', 3],
  ] as const) {
    const IPAM = { Config: [{ Subnet: `10.1.${third}.0/24` }] };
    await home.call('POST', '/networks/create', { Name, IPAM });
  }
});
afterEach(() => home.remove());

interface Asked {
  readonly Links?: readonly string[];
  readonly Aliases?: readonly string[];
}

async function created(name: string, endpoint: Asked = {}, host: object = {}): Promise<string> {
  const { status, body } = await home.call('POST', `/containers/create?name=${name}`, {
    ...{ Image: 'busybox', Cmd: ['sleep', 'infinity'] },
    HostConfig: { NetworkMode: 'db', ...host },
    NetworkingConfig: { EndpointsConfig: { db: endpoint } },
  });
  expect(status).toBe(201);
  return (body as { Id: string }).Id;
}

async function start(id: string): Promise<void> {
  expect(await home.call('POST', `/containers/${id}/start`)).toMatchObject({ status: 204 });
}

async function started(...asked: Parameters<typeof created>): Promise<string> {
  const id = await created(...asked);
  await start(id);
  return id;
}

async function end(id: string): Promise<void> {
  await home.call('POST', `/containers/${id}/kill`);
  await expect.poll(() => home.runtime.networks.endpointsOfBox(id)).toEqual([]);
}

/** The lines of other boxes that the guest last got. */
const linesOf = (id: string) =>
  home.agents.get(id)?.networks?.hosts?.map(({ name, address }) => `${address} ${name}`);
const untilLines = (id: string, lines: readonly string[]) =>
  expect.poll(() => linesOf(id), DEADLINE).toEqual(lines);

describe('links in a user-defined network', () => {
  it('gives a box its own names for others before its main process runs, and no other box', async () => {
    const one = await started('one', { Aliases: ['first'] });
    const other = await started('other');
    const Links = ['one:database', 'first:again', `${one.slice(0, 12)}:short`, 'one', 'gone:x'];
    const id = await started('two', { Links });
    expect(linesOf(id)).toEqual([
      ...['10.1.2.2 again', '10.1.2.2 database', '10.1.2.2 one', '10.1.2.2 short'],
    ]);
    expect(home.agents.get(one)?.networks).toBeUndefined();
    expect(home.agents.get(other)?.networks).toBeUndefined();
  });

  it('leads to both addresses of a box in a network with IPv6', async () => {
    await home.call('POST', '/networks/create', {
      ...{ Name: 'six', EnableIPv6: true },
      IPAM: { Config: [{ Subnet: '10.1.4.0/24' }, { Subnet: 'fd00:89::/64' }] },
    });
    await started('one', {}, { NetworkMode: 'six' });
    const id = await started('two', {}, { NetworkMode: 'six', Links: ['one:database'] });
    expect(linesOf(id)).toEqual(['10.1.4.2 database', 'fd00:89::2 database']);
  });

  it('updates a link when its target stops, restarts or changes address', async () => {
    const id = await started('two', { Links: ['one:database'] });
    expect(linesOf(id)).toEqual([]);
    const one = await started('one');
    await untilLines(id, ['10.1.2.3 database']);
    await end(one);
    await untilLines(id, []);
    // Another box has its address now.
    await started('three');
    await start(one);
    await untilLines(id, ['10.1.2.4 database']);
  });

  it('links an alias to all its boxes in the network, and to no other network', async () => {
    await started('one', { Aliases: ['pool'] });
    await started('two', { Aliases: ['pool'] });
    const elsewhere = await created('three', { Aliases: ['pool'] }, { NetworkMode: 'web' });
    await home.call('POST', '/networks/db/disconnect', { Container: elsewhere });
    await start(elsewhere);
    const id = await started('four', { Links: ['pool:all'] });
    expect(linesOf(id)).toEqual(['10.1.2.2 all', '10.1.2.3 all']);
  });

  it('adds and removes links when a running box joins or leaves a network', async () => {
    await started('one');
    const id = await started('two', {}, { NetworkMode: 'web' });
    await home.call('POST', '/networks/db/disconnect', { Container: id });
    const EndpointConfig = { Links: ['one:database'] };
    const answer = await home.call('POST', '/networks/db/connect', {
      ...{ Container: id, EndpointConfig },
    });
    expect(answer.status).toBe(200);
    expect(linesOf(id)).toEqual(['10.1.2.2 database']);
    await home.call('POST', '/networks/db/disconnect', { Container: id });
    // Absent: the agent takes its lines away.
    expect(linesOf(id)).toBeUndefined();
    expect(home.agents.get(id)?.networks?.cards).toHaveLength(1);
  });

  it('updates links of paused boxes and of boxes that outlive the server', async () => {
    const one = await started('one');
    const id = await started('two', { Links: ['one:database'] });
    expect((await home.call('POST', `/containers/${id}/pause`)).status).toBe(204);
    await end(one);
    await untilLines(id, []);
    await home.call('POST', `/containers/${id}/unpause`);
    await start(one);
    await untilLines(id, ['10.1.2.2 database']);
    await home.crash();
    home.host.vm(one)?.crash();
    await home.start();
    await untilLines(id, []);
  });

  it('shows links as they were asked for, of the main network too, and takes what Docker shows', async () => {
    const asked = ['one:a', '/one:/two/b'];
    const id = await created('two', { Links: ['one:a'] }, { Links: asked });
    const { body } = await home.call('GET', `/containers/${id}/json`);
    expect(body).toMatchObject({
      HostConfig: { Links: asked },
      NetworkSettings: { Networks: { db: { Links: asked } } },
    });
    await started('one');
    await start(id);
    expect(linesOf(id)).toEqual(['10.1.2.2 a', '10.1.2.2 b']);
  });
});
