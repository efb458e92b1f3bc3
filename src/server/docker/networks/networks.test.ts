import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestHome } from '../../testing/home.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
});
afterEach(() => home.remove());

const make = (Name: string, more: object = {}) =>
  home.call('POST', '/networks/create', { Name, ...more });
const withSubnet = (Subnet: string, more: object = {}) => ({
  IPAM: { Config: [{ Subnet, ...more }] },
});
const encoded = (filters: unknown) => encodeURIComponent(JSON.stringify(filters));
const list = async (filters: unknown = {}) => {
  const { body } = await home.call('GET', `/networks?filters=${encoded(filters)}`);
  return (body as { Name: string }[]).map(({ Name }) => Name);
};
const prune = (filters: unknown = {}) =>
  home.call('POST', `/networks/prune?filters=${encoded(filters)}`);
const inspect = async (name: string) =>
  (await home.call('GET', `/networks/${name}`)).body as Record<string, unknown>;
const idOf = async (name: string): Promise<string> => String((await inspect(name))['Id']);

describe('the routes of networks', () => {
  it('creates, shows, lists and removes a network', async () => {
    const made = await make('db', {
      ...{ CheckDuplicate: true, Driver: 'bridge', Internal: true, Attachable: true },
      ...{ Labels: { a: 'b' }, Options: { 'com.docker.network.driver.mtu': '1400' } },
      ...withSubnet('10.1.0.0/16', {
        ...{ IPRange: '10.1.5.0/24', Gateway: '10.1.0.9' },
        AuxiliaryAddresses: { printer: '10.1.0.10' },
      }),
    });
    expect(made).toMatchObject({ status: 201, body: { Id: expect.stringMatching(/^\w{64}$/) } });
    const { Id } = made.body as { Id: string };
    expect(await inspect(Id.slice(0, 8))).toEqual({
      ...{ Name: 'db', Id, Created: expect.any(String), Scope: 'local', Driver: 'bridge' },
      ...{ EnableIPv6: false, Internal: true, Attachable: true, Ingress: false },
      IPAM: {
        ...{ Driver: 'default', Options: null },
        Config: [
          {
            ...{ Subnet: '10.1.0.0/16', IPRange: '10.1.5.0/24', Gateway: '10.1.0.9' },
            AuxiliaryAddresses: { printer: '10.1.0.10' },
          },
        ],
      },
      ...{ ConfigFrom: { Network: '' }, ConfigOnly: false, Containers: {} },
      Options: { 'com.docker.network.driver.mtu': '1400' },
      Labels: { a: 'b' },
    });
    expect(await list()).toEqual(['bridge', 'none', 'db']);
    expect((await home.call('DELETE', '/networks/db')).status).toBe(204);
    expect(await list()).toEqual(['bridge', 'none']);
  });

  it.each([
    [{}, null],
    [{ IPAM: null }, null],
    [{ IPAM: { Driver: 'default', Config: [{ Subnet: '10.1.0.0/16' }], Options: null } }, null],
    [{ IPAM: { Options: {} } }, {}],
  ])('shows the options of addresses of a network created with %j as %j', async (body, Options) => {
    await make('db', body);
    expect(await inspect('db')).toMatchObject({ IPAM: { Driver: 'default', Options } });
  });

  it.each(['test 01', 'a/b', 'a,b=c', 'é'])(
    'creates a network with the name %s, as Docker does, and finds it by that name',
    async (Name) => {
      expect((await make(Name)).status).toBe(201);
      const path = encodeURIComponent(Name);
      expect(await inspect(path)).toMatchObject({ Name });
      expect(await list()).toEqual(['bridge', 'none', Name]);
      expect((await home.call('DELETE', `/networks/${path}`)).status).toBe(204);
    },
  );

  it('warns where no box can be started in a new network, and so does the information', async () => {
    home.hostNetworks.answer = { available: false, reason: 'nft is missing' };
    const warning = expect.stringContaining('No box can be started in a user-defined network');
    expect((await make('db')).body).toMatchObject({ Warning: warning });
    expect((await home.call('GET', '/info')).body).toMatchObject({ Warnings: [warning] });
  });

  it.each([
    [{ Name: '' }, 400, 'name is empty'],
    [{ Name: ' ' }, 400, 'name is empty'],
    [{ Name: 'a\nb' }, 400, 'a control character is in it'],
    [{ Name: 'a'.repeat(256) }, 400, 'more than 255 characters'],
    [{ Name: 'container:a' }, 400, 'means the network of another box'],
    [{ Name: 'bridge' }, 403, 'operation is not permitted on predefined bridge network'],
    [{ Driver: 'overlay' }, 403, 'This node is not a swarm manager'],
    [{ Driver: 'host' }, 403, 'only one instance of "host" network is allowed'],
    [{ Driver: 'macvlan' }, 400, 'the driver macvlan is not supported'],
    [{ Driver: 'weave' }, 404, 'could not find plugin weave in v1 plugin registry'],
    [{ IPAM: { Driver: 'dhcp' } }, 404, 'could not find plugin dhcp'],
    [{ IPAM: { Options: { a: 'b' } } }, 400, 'IPAM.Options a'],
    [withSubnet('fd00:89::/64'), 400, 'is of IPv6, which the network has not'],
    [
      { EnableIPv6: true, ...withSubnet('fd00:89::/64', { IPRange: 'fd00:8a::/80' }) },
      ...([400, "doesn't contain ip-range"] as const),
    ],
    [
      { EnableIPv6: true, ...withSubnet('fd00:89::/64', { IPRange: 'fd00:89::/48' }) },
      ...([400, 'bigger than its parent subnet'] as const),
    ],
    [
      { EnableIPv6: true, ...withSubnet('fd00:89::/64', { AuxiliaryAddresses: { a: 'fd01::1' } }) },
      ...([400, "invalid auxiliary address a: parent subnet fd00:89::/64 doesn't"] as const),
    ],
    [{ EnableIPv4: false }, 400, 'EnableIPv4 false is not supported'],
    [{ Ingress: true }, 400, 'Ingress is not supported'],
    [{ Scope: 'swarm' }, 400, 'Scope swarm is not supported'],
    [{ ConfigOnly: true }, 400, 'ConfigOnly and ConfigFrom is not supported'],
    [{ ConfigFrom: { Network: 'x' } }, 400, 'ConfigOnly and ConfigFrom is not supported'],
    [{ Options: { parent: 'eth0' } }, 400, 'the option parent is not supported'],
    [withSubnet('10.1.2.3/24'), 400, 'it should be 10.1.2.0/24'],
    [withSubnet('10.1.2.0/24', { Gateway: '10.2.0.1' }), 400, "doesn't contain this address"],
    [withSubnet('', { Gateway: '10.2.0.1' }), 400, 'must have a corresponding subnet'],
    [withSubnet('10.9.1.0/24'), 403, 'Pool overlaps with other one on this address space'],
    [
      { IPAM: { Config: [{ Subnet: '10.1.2.0/24' }, { Subnet: '10.1.3.0/24' }] } },
      ...([403, "bridge driver doesn't support multiple subnets"] as const),
    ],
    [{ Name: 'taken' }, 409, 'network with name taken already exists'],
    [{ Unheard: 1 }, 400, 'Unheard'],
  ])('refuses to create the network %j', async (body, status, message) => {
    await make('taken', withSubnet('10.9.0.0/16'));
    expect(await make('db', body)).toMatchObject({
      ...{ status, body: { message: expect.stringContaining(message) } },
    });
    expect(await list()).toEqual(['bridge', 'none', 'taken']);
  });

  it('finds no network of another scope, and none that is gone', async () => {
    await make('db');
    for (const path of ['/networks/db?scope=swarm', '/networks/gone']) {
      expect(await home.call('GET', path)).toMatchObject({
        ...{ status: 404, body: { code: 'no-such-network' } },
      });
    }
    expect((await home.call('GET', '/networks/db?scope=local&verbose=1')).status).toBe(200);
    expect((await home.call('DELETE', '/networks/gone')).status).toBe(404);
  });

  it('refuses to remove a predefined network, and one with a running box', async () => {
    expect(await home.call('DELETE', '/networks/none')).toMatchObject({
      status: 403,
      body: { message: 'none is a pre-defined network and cannot be removed' },
    });
    await make('db');
    const box = await home.create(['true']);
    home.runtime.networks.attach(await idOf('db'), box);
    expect(await home.call('DELETE', '/networks/db')).toMatchObject({
      status: 403,
      body: { message: 'error while removing network: network db has active endpoints' },
    });
  });

  it('filters networks by name, id, driver, label, scope, type and use', async () => {
    await make('db', { Labels: { tier: 'db' } });
    await make('web');
    home.runtime.networks.attach(await idOf('web'), await home.create(['true']));
    expect(await list({ name: ['d'] })).toEqual(['bridge', 'db']);
    expect(await list({ name: ['^d'] })).toEqual(['db']);
    expect(await list({ id: [(await idOf('db')).slice(0, 20)] })).toEqual(['db']);
    expect(await list({ driver: ['null'] })).toEqual(['none']);
    expect(await list({ label: ['tier=db'] })).toEqual(['db']);
    expect(await list({ scope: ['swarm'] })).toEqual([]);
    expect(await list({ type: ['custom'] })).toEqual(['db', 'web']);
    expect(await list({ type: ['builtin'] })).toEqual(['bridge', 'none']);
    expect(await list({ dangling: ['true'] })).toEqual(['db']);
    expect(await list({ dangling: ['false'] })).toEqual(['bridge', 'none', 'web']);
    for (const odd of [{ type: ['odd'] }, { dangling: ['odd'] }, { odd: ['x'] }]) {
      expect((await home.call('GET', `/networks?filters=${encoded(odd)}`)).status).toBe(400);
    }
  });

  it('prunes networks that no box is attached to, by label and by age', async () => {
    await make('used');
    await make('kept', { Labels: { keep: '' } });
    await make('old');
    home.runtime.networks.attach(await idOf('used'), await home.create(['true']));
    expect((await prune({ until: ['24h'] })).body).toEqual({ NetworksDeleted: [] });
    expect((await prune({ 'label!': ['keep'] })).body).toEqual({ NetworksDeleted: ['old'] });
    expect((await prune()).body).toEqual({ NetworksDeleted: ['kept'] });
    expect(await list()).toEqual(['bridge', 'none', 'used']);
    expect((await prune({ until: ['1h', '2h'] })).status).toBe(400);
  });

  it('shows the boxes that are attached to a network', async () => {
    await make('db');
    const box = await home.create(['true']);
    const { address, mac, id } = home.runtime.networks.attach(await idOf('db'), box);
    expect((await inspect('db'))['Containers']).toEqual({
      [box]: {
        ...{ Name: home.runtime.store.expect(box).name, EndpointID: id, MacAddress: mac },
        ...{ IPv4Address: `${address}/24`, IPv6Address: '' },
      },
    });
  });

  it('shows the IPv6 addresses of a network and of the boxes in it', async () => {
    const Config = [{ Subnet: 'fd00:89::/64' }, { Subnet: '10.1.2.0/24' }];
    await make('db', { EnableIPv6: true, IPAM: { Config } });
    const box = await home.create(['true']);
    home.runtime.networks.attach(await idOf('db'), box);
    expect(await inspect('db')).toMatchObject({
      EnableIPv6: true,
      IPAM: {
        Config: [
          { Subnet: '10.1.2.0/24', Gateway: '10.1.2.1' },
          { Subnet: 'fd00:89::/64', Gateway: 'fd00:89::1' },
        ],
      },
      Containers: { [box]: { IPv4Address: '10.1.2.2/24', IPv6Address: 'fd00:89::2/64' } },
    });
  });

  it('publishes events of networks', async () => {
    const since = Date.now() / 1000;
    await make('db');
    const network = await idOf('db');
    const box = await home.create(['true']);
    home.runtime.networks.attach(network, box);
    home.runtime.networks.detach(network, box);
    await home.call('DELETE', '/networks/db');
    const range = `since=${since.toFixed(3)}&until=${(Date.now() / 1000 + 1).toFixed(3)}`;
    const { body } = await home.call(
      ...(['GET', `/events?${range}&filters=${encoded({ network: ['db'] })}`] as const),
    );
    const published = String(body)
      .trim()
      .split('\n')
      .map((line) => JSON.parse(line));
    expect(published.map(({ Type, Action }) => `${Type} ${Action}`)).toEqual(
      ['create', 'connect', 'disconnect', 'destroy'].map((action) => `network ${action}`),
    );
    const Attributes = { name: 'db', type: 'bridge' };
    expect(published[0].Actor).toEqual({ ID: network, Attributes });
    expect(published[1].Actor).toEqual({
      ID: network,
      Attributes: { container: box, ...Attributes },
    });
  });

  it('shows the network that each box has to itself, whose gateway is in its subnet', async () => {
    expect(await inspect('bridge')).toMatchObject({
      IPAM: { Config: [{ Subnet: '10.0.2.0/24', Gateway: '10.0.2.2' }] },
      Containers: {},
    });
    expect(await inspect('none')).toMatchObject({ Driver: 'null', IPAM: { Config: [] } });
  });

  it('keeps the place of a box that outlives a server', async () => {
    await make('db');
    const box = await home.create(['sleep', 'infinity'], { HostConfig: { NetworkMode: 'db' } });
    await home.call('POST', `/containers/${box}/start`);
    await make('other');
    home.runtime.networks.attach(await idOf('other'), box);
    const [endpoint] = home.runtime.networks.endpointsOf(await idOf('db'));
    await home.stop();
    await home.start();
    // A connection that its server did not come to the end of is not there any more.
    expect(home.runtime.networks.endpointsOfBox(box)).toEqual([endpoint]);
  });

  it('finds networks after a restart of the server, without the places of boxes that do not run', async () => {
    await make('db');
    home.runtime.networks.attach(await idOf('db'), await home.create(['true']));
    await home.stop();
    await home.start();
    expect(await inspect('db')).toMatchObject({ Name: 'db', Containers: {} });
  });
});
