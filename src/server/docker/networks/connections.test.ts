import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { A3sError } from '../../../errors.ts';
import { TestHome } from '../../testing/home.ts';

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

async function started(mode: string, HostConfig: object = {}): Promise<string> {
  const host = { NetworkMode: mode, ...HostConfig };
  const id = await home.create(['sleep', 'infinity'], { HostConfig: host });
  expect(await home.call('POST', `/containers/${id}/start`)).toMatchObject({ status: 204 });
  return id;
}
const call = (verb: 'connect' | 'disconnect', network: string, body: object) =>
  home.call('POST', `/networks/${network}/${verb}`, body);
const placesOf = (id: string) => home.hostNetworks.placesOf(id);
const networksOf = (id: string) => home.agents.get(id)?.networks;
const shown = async (id: string): Promise<string[]> => {
  const { body } = await home.call('GET', `/containers/${id}/json`);
  const { NetworkSettings } = body as { NetworkSettings: { Networks: object } };
  return Object.keys(NetworkSettings.Networks);
};

describe('a box that runs', () => {
  it('connects a running box by a card of its own, which it tells the agent of', async () => {
    const Container = await started('db');
    const EndpointConfig = { Aliases: ['main'], IPAMConfig: { IPv4Address: '10.1.3.9' } };
    expect(await call('connect', 'web', { Container, EndpointConfig })).toMatchObject({
      status: 200,
    });
    const [first, second] = placesOf(Container);
    expect(second).toMatchObject({
      address: '10.1.3.9',
      names: [expect.any(String), 'main', expect.any(String)],
    });
    expect([...(home.host.vm(Container)?.cards ?? [])]).toEqual([[1, second?.mac]]);
    expect(networksOf(Container)).toMatchObject({
      cards: [
        { device: 'eth0', mac: first?.mac, address: '10.1.2.2', prefixLength: 24 },
        { device: 'eth1', mac: second?.mac, address: '10.1.3.9' },
      ],
      gateway: { device: 'eth0', address: '10.1.2.1' },
      ...{ nameservers: ['10.1.2.1', '10.1.3.1'], options: ['ndots:0'] },
    });
    expect(await shown(Container)).toEqual(['db', 'web']);
    expect(await call('disconnect', 'db', { Container })).toMatchObject({ status: 200 });
    expect(placesOf(Container)).toEqual([second]);
    expect(networksOf(Container)).toMatchObject({
      ...{ cards: [{ device: 'eth1' }], gateway: { device: 'eth1', address: '10.1.3.1' } },
    });
    expect(await shown(Container)).toEqual(['web']);
    expect(await call('connect', 'db', { Container })).toMatchObject({ status: 200 });
    expect(networksOf(Container)?.cards.map(({ device }) => device)).toEqual(['eth1', 'eth0']);
  });

  it('leaves its own network, and keeps its ports where it goes', async () => {
    const PortBindings = { '80/tcp': [{ HostIp: '127.0.0.1' }] };
    const Container = await started('bridge', { PortBindings });
    await call('connect', 'db', { Container });
    expect(placesOf(Container)[0]?.ports).toEqual([]);
    expect(networksOf(Container)?.gateway).toEqual({ device: 'eth0', address: '10.0.2.2' });
    await call('disconnect', 'bridge', { Container });
    expect(placesOf(Container)[0]?.ports).toMatchObject([{ hostIp: '127.0.0.1', boxPort: 80 }]);
    expect(networksOf(Container)?.cards).toMatchObject([{ device: 'eth1' }]);
    await call('connect', 'web', { Container });
    await call('disconnect', 'db', { Container });
    expect(placesOf(Container)).toMatchObject([{ ports: [{ boxPort: 80 }] }]);
    await call('disconnect', 'web', { Container });
    expect([placesOf(Container), await shown(Container)]).toEqual([[], []]);
    expect(networksOf(Container)).toEqual({ cards: [], nameservers: [], search: [] });
    expect(home.runtime.store.expect(Container).state.ports).toEqual([]);
    await call('connect', 'web', { Container });
    expect(placesOf(Container)).toMatchObject([{ ports: [{ boxPort: 80 }] }]);
  });

  it('publishes no ports of a box in an internal network, and publishes them in the next network that is not', async () => {
    await home.call('POST', '/networks/create', { Name: 'in', Internal: true });
    const PortBindings = { '80/tcp': [{ HostIp: '127.0.0.1' }] };
    const Container = await started('in', { PortBindings });
    const portsOf = () => placesOf(Container).map(({ ports }) => ports.length);
    const { state } = home.runtime.store.expect(Container);
    expect([portsOf(), state.ports]).toEqual([[0], []]);
    await call('connect', 'db', { Container });
    await call('connect', 'web', { Container });
    expect(portsOf()).toEqual([0, 1, 0]);
    // At a start too, whichever card leads there.
    await home.call('POST', `/containers/${Container}/restart?t=0`);
    expect(portsOf()).toEqual([0, 1, 0]);
    await call('disconnect', 'db', { Container });
    expect(portsOf()).toEqual([0, 1]);
    await call('disconnect', 'web', { Container });
    expect([portsOf(), home.runtime.store.expect(Container).state.ports]).toEqual([[0], []]);
  });

  it('leaves a running box as it was where it cannot be connected, and says why', async () => {
    const Container = await started('db');
    home.hostNetworks.failure = new A3sError('network-failed', 'nft: no');
    const failed = { status: 500, body: { code: 'network-failed' } };
    expect(await call('connect', 'web', { Container })).toMatchObject(failed);
    expect(placesOf(Container)).toHaveLength(1);
    expect(home.runtime.networks.endpointsOfBox(Container)).toHaveLength(1);
    expect(await shown(Container)).toEqual(['db']);
    expect(networksOf(Container)?.cards).toHaveLength(1);
    await home.call('POST', `/containers/${Container}/pause`);
    const paused = { status: 409, body: { message: expect.stringContaining('paused') } };
    expect(await call('connect', 'web', { Container })).toMatchObject(paused);
  });

  it('gives a running box no card of a network that could not be made to its end', async () => {
    const Container = await started('db');
    home.hostNetworks.making = async () => {
      throw new A3sError('network-failed', 'netavark: no');
    };
    const failed = { status: 500, body: { code: 'network-failed' } };
    expect(await call('connect', 'web', { Container })).toMatchObject(failed);
    expect(placesOf(Container)).toHaveLength(1);
    expect(networksOf(Container)?.cards).toHaveLength(1);
  });

  it('shows no ports that could not be published where it is now', async () => {
    const PortBindings = { '80/tcp': [{ HostIp: '127.0.0.1' }] };
    const Container = await started('db', { PortBindings });
    await call('connect', 'web', { Container });
    const portsOf = () => home.runtime.store.expect(Container).state.ports;
    expect(portsOf()).toHaveLength(1);
    home.hostNetworks.taken = new A3sError('port-in-use', 'taken');
    const refused = { body: { code: 'port-in-use' } };
    expect(await call('disconnect', 'db', { Container })).toMatchObject(refused);
    expect([portsOf(), await shown(Container)]).toEqual([[], ['web']]);
    expect(await call('connect', 'db', { Container })).toMatchObject(refused);
    expect([portsOf(), await shown(Container)]).toEqual([[], ['web', 'db']]);
    home.hostNetworks.taken = undefined;
    await call('disconnect', 'db', { Container });
    await call('connect', 'db', { Container });
    expect(portsOf()).toHaveLength(1);
  });

  it('keeps its address where the host does not let it go, and can be disconnected again', async () => {
    const PortBindings = { '80/tcp': [{ HostIp: '127.0.0.1' }] };
    const Container = await started('db', { PortBindings });
    await call('connect', 'web', { Container });
    const places = () => home.runtime.networks.endpointsOfBox(Container);
    home.hostNetworks.stuck = new A3sError('network-failed', 'umount: busy');
    const failed = { status: 500, body: { code: 'network-failed' } };
    expect(await call('disconnect', 'db', { Container })).toMatchObject(failed);
    expect(places()).toHaveLength(2);
    expect(await call('connect', 'db', { Container })).toMatchObject({ status: 403 });
    home.hostNetworks.stuck = undefined;
    expect(await call('disconnect', 'db', { Container })).toMatchObject({ status: 200 });
    expect(placesOf(Container)).toMatchObject([{ ports: [{ boxPort: 80 }] }]);
    expect(networksOf(Container)?.cards).toMatchObject([{ device: 'eth1' }]);
    expect(places()).toHaveLength(1);
    home.hostNetworks.failure = new A3sError('network-failed', 'nft: no');
    home.hostNetworks.stuck = new A3sError('network-failed', 'umount: busy');
    expect(await call('connect', 'db', { Container })).toMatchObject(failed);
    expect([places().length, await shown(Container)]).toEqual([2, ['web']]);
    home.hostNetworks.stuck = undefined;
    expect(await call('disconnect', 'db', { Container })).toMatchObject({ status: 200 });
    expect(places()).toHaveLength(1);
  });

  it('keeps its networks while the server is replaced, and leaves all of them at its end', async () => {
    const Container = await started('db');
    await call('connect', 'web', { Container });
    await home.stop();
    await home.start();
    await expect.poll(() => placesOf(Container)).toHaveLength(2);
    await call('disconnect', 'db', { Container });
    expect(placesOf(Container)).toMatchObject([{ address: '10.1.3.2' }]);
    await home.call('POST', `/containers/${Container}/kill`);
    await expect.poll(() => placesOf(Container)).toEqual([]);
    expect(home.runtime.networks.endpointsOfBox(Container)).toEqual([]);
  });
});

describe('a box that does not run', () => {
  it('connects a box that does not run from its next start on, with a card for each network', async () => {
    const Container = await home.create(['sleep', 'infinity'], {
      HostConfig: { NetworkMode: 'web' },
    });
    await call('connect', 'db', { Container, EndpointConfig: { GwPriority: 1 } });
    await call('connect', 'bridge', { Container });
    expect(await shown(Container)).toEqual(['bridge', 'web', 'db']);
    await home.call('POST', `/containers/${Container}/start`);
    expect(home.agents.get(Container)?.spec?.network).toMatchObject({ address: '10.0.2.15' });
    expect(networksOf(Container)).toMatchObject({
      cards: [{ device: 'eth0' }, { device: 'eth1' }, { device: 'eth2', address: '10.1.2.2' }],
      gateway: { device: 'eth2', address: '10.1.2.1' },
    });
    await home.call('POST', `/containers/${Container}/restart?t=0`);
    expect(placesOf(Container)).toHaveLength(2);
  });

  it('disconnects a box that does not run from all networks, and starts it with none', async () => {
    const Container = await home.create(['sleep', 'infinity'], {
      HostConfig: { NetworkMode: 'none' },
    });
    const mode = { status: 400, body: { message: expect.stringContaining('private (none) mode') } };
    expect(await call('connect', 'db', { Container })).toMatchObject(mode);
    expect(await call('disconnect', 'none', { Container })).toMatchObject({ status: 200 });
    await home.call('POST', `/containers/${Container}/start`);
    expect(home.agents.get(Container)?.spec?.network).toEqual({ kind: 'none' });
    expect(await call('connect', 'db', { Container })).toMatchObject({ status: 200 });
    expect(networksOf(Container)?.cards).toMatchObject([{ device: 'eth0' }]);
  });

  it('refuses to connect a box twice, and to disconnect one that is not in the network or does not exist', async () => {
    const Container = await home.create(['true'], { HostConfig: { NetworkMode: 'db' } });
    const { name } = home.runtime.store.expect(Container);
    expect(await call('connect', 'db', { Container })).toMatchObject({
      status: 403,
      body: { message: `endpoint with name ${name} already exists in network db` },
    });
    expect(await call('disconnect', 'web', { Container })).toMatchObject({
      status: 409,
      body: { message: `container ${Container} is not connected to the network web` },
    });
    expect(await call('connect', 'db', { Container: 'gone' })).toMatchObject({ status: 404 });
    expect(await call('connect', 'gone', { Container })).toMatchObject({ status: 404 });
    const EndpointConfig = { IPAMConfig: { IPv4Address: '10.9.9.9' } };
    expect(await call('connect', 'web', { Container, EndpointConfig })).toMatchObject({
      ...{ status: 400, body: { code: 'invalid-argument' } },
    });
  });
});
