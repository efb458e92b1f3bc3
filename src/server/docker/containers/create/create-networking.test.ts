import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { TestHome } from '../../../testing/home.ts';

let home: TestHome;
let network: string;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
  network = await make('db', '10.1.2.0/24');
});
afterEach(() => home.remove());

async function make(Name: string, Subnet: string): Promise<string> {
  const body = { Name, IPAM: { Config: [{ Subnet }] } };
  return ((await home.call('POST', '/networks/create', body)).body as { Id: string }).Id;
}
const documentOf = (NetworkMode: string, EndpointsConfig: object = {}, more: object = {}) => ({
  ...{ Image: 'busybox', Cmd: ['true'], HostConfig: { NetworkMode } },
  ...{ NetworkingConfig: { EndpointsConfig }, ...more },
});
const create = (...args: Parameters<typeof documentOf>) =>
  home.call('POST', '/containers/create', documentOf(...args));
const created = async (...args: Parameters<typeof documentOf>): Promise<string> => {
  const answer = await create(...args);
  expect(answer).toMatchObject({ status: 201 });
  return (answer.body as { Id: string }).Id;
};
const definition = (id: string) => home.runtime.store.expect(id).definition;
const inspect = async (id: string) =>
  (await home.call('GET', `/containers/${id}/json`)).body as Record<string, object>;

describe('a box in a user-defined network', () => {
  it('records the aliases, the address and the hardware address of a box in a user-defined network', async () => {
    const endpoint = {
      ...{ Aliases: ['one', '_two', 'one'], MacAddress: '02:00:00:00:00:0A' },
      IPAMConfig: { IPv4Address: '10.1.2.7' },
      // Compose says the address twice; what a server reports has no effect.
      ...{ IPAddress: '10.1.2.7', Gateway: '10.1.2.250', DNSNames: ['x'] },
    };
    const { network: kind, endpoints } = definition(await created('db', { db: endpoint }));
    expect({ kind, endpoints }).toEqual({
      kind: 'user',
      endpoints: [
        {
          ...{ network, name: 'db', aliases: ['one', '_two'] },
          ...{ address: '10.1.2.7', mac: '02:00:00:00:00:0a' },
        },
      ],
    });
  });

  it.each([
    ['by its name', () => created('db')],
    ['by its id', () => created(network)],
    ['by the beginning of its id', () => created(network.slice(0, 12))],
    ['by an endpoint alone', () => created('default', { db: {} })],
    ['by mode and endpoint, once by id', () => created(network, { db: null })],
    ['with the zero values that clients send', () => created('db', { db: NOTHING })],
  ])('creates a box in a user-defined network that is given %s', async (_, makeBox) => {
    const { network: kind, endpoints } = definition(await makeBox());
    expect({ kind, endpoints }).toEqual({
      ...{ kind: 'user', endpoints: [{ network, name: expect.any(String), aliases: [] }] },
    });
  });

  it.each([
    ['user', 'db', { web: {} }, ['db', 'web'], 'db'],
    ['user', 'default', { web: {}, db: { GwPriority: 5 } }, ['web', 'db'], 'web'],
    ['default', 'bridge', { bridge: {}, db: {} }, ['db'], 'bridge'],
    [
      'default',
      'bridge',
      { bridge: { IPAMConfig: { IPv4Address: '' } }, db: {} },
      ['db'],
      'bridge',
    ],
    ['default', 'db', { db: {}, bridge: {} }, ['db'], 'db'],
    ['none', 'default', { none: {} }, [], 'none'],
    ['user', 'bridge', { db: {} }, ['db'], 'db'],
  ])(
    'records the kind of network %s for the mode %s with the networks %j',
    async (kind, mode, asked, names, shown) => {
      await make('web', '10.1.3.0/24');
      const id = await created(mode, asked);
      const { network: made, endpoints } = definition(id);
      expect([made, endpoints.map(({ name }) => name)]).toEqual([kind, names]);
      const { HostConfig, NetworkSettings } = (await inspect(id)) as {
        HostConfig: { NetworkMode: string };
        NetworkSettings: { Networks: Record<string, { GwPriority?: number }> };
      };
      expect(HostConfig.NetworkMode).toBe(shown);
      expect(Object.keys(NetworkSettings.Networks).sort()).toEqual(
        [...names, ...(kind === 'user' ? [] : [kind === 'none' ? 'none' : 'bridge'])].sort(),
      );
      if (names.length > 1 && mode === 'default')
        expect(NetworkSettings.Networks['db']?.GwPriority).toBe(5);
    },
  );

  it('gives a box no network where it is disabled, whatever the default endpoint says', async () => {
    for (const asked of [{}, { default: {} }, { bridge: { MacAddress: '' } }]) {
      const id = await created('default', asked, { NetworkDisabled: true });
      expect(definition(id)).toMatchObject({ network: 'none', endpoints: [] });
      expect(await inspect(id)).toMatchObject({
        HostConfig: { NetworkMode: 'none' },
        Config: { NetworkDisabled: true },
      });
    }
    expect(await create('db', {}, { NetworkDisabled: true })).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining('one of the networks in private (none) mode') },
    });
  });

  it('takes a hardware address in a network of its own, in either place', async () => {
    const [MacAddress, mac] = ['02-42-AC-11-00-0A', '02:42:ac:11:00:0a'];
    for (const [asked, more] of [
      [{ bridge: { MacAddress } }, {}],
      [{}, { MacAddress }],
      [{ default: { MacAddress } }, { MacAddress }],
    ] as const) {
      const id = await created('default', asked, more);
      expect(definition(id)).toMatchObject({ network: 'default', mac });
      expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
      expect(home.host.vm(id)?.spec.nic?.mac).toBe(mac);
      expect(await inspect(id)).toMatchObject({
        NetworkSettings: { MacAddress: mac, Networks: { bridge: { MacAddress: mac } } },
      });
    }
    const refuse = async (asked: object, more: object, mode = 'default') =>
      (await create(mode, asked, more)).body;
    expect(await refuse({}, { MacAddress: '01:00:00:00:00:00' })).toMatchObject({
      ...{ code: 'invalid-argument', message: expect.stringContaining('invalid MAC address') },
    });
    expect(await refuse({ bridge: { MacAddress } }, { MacAddress: mac })).toMatchObject({
      message: expect.stringContaining('container-wide MAC address must match'),
    });
    for (const [asked, more] of [
      [{ none: { MacAddress } }, {}],
      [{}, { MacAddress }],
    ] as const) {
      expect(await refuse(asked, more, 'none')).toMatchObject({ code: 'unsupported-option' });
    }
  });

  it.each([
    ['db', 'db'],
    ['default', 'bridge'],
    ['none', 'none'],
  ])(
    'shows options that no driver reads, in the network %s, as Docker does',
    async (mode, name) => {
      const DriverOpts = { 'com.docker-py.setting': 'on' };
      const id = await created(mode, { [name]: { DriverOpts } });
      expect(await inspect(id)).toMatchObject({
        NetworkSettings: { Networks: { [name]: { DriverOpts } } },
      });
      const plain = await inspect(await created(mode));
      expect(plain).toMatchObject({
        NetworkSettings: { Networks: { [name]: { DriverOpts: null, Links: null } } },
      });
    },
  );

  it.each([
    ['bridge', 'bridge'],
    ['db', 'db'],
  ])(
    'gives the card of a box link-local addresses before its main process runs, in the network %s',
    async (mode, name) => {
      const IPAMConfig = { LinkLocalIPs: ['169.254.8.8', '169.254.8.9'] };
      const id = await created(mode, { [name]: { IPAMConfig } });
      expect(await inspect(id)).toMatchObject({
        NetworkSettings: { Networks: { [name]: { IPAMConfig } } },
      });
      expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
      expect(home.agents.get(id)?.networks?.cards).toMatchObject([
        { device: 'eth0', linkLocal: IPAMConfig.LinkLocalIPs },
      ]);
    },
  );

  it('shows the chosen hardware address of a box that never ran', async () => {
    const MacAddress = '02:42:ac:11:00:02';
    const id = await created('db', { db: { MacAddress } });
    expect(await inspect(id)).toMatchObject({
      NetworkSettings: { Networks: { db: { MacAddress, EndpointID: '' } } },
    });
  });

  it('takes the hardware address that clients before API 1.44 send beside the network', async () => {
    const MacAddress = '02:00:00:00:00:0a';
    const id = await created('db', { db: { MacAddress } }, { MacAddress });
    expect(definition(id).endpoints[0]?.mac).toBe(MacAddress);
    expect(await create('db', { db: { MacAddress } }, { MacAddress: 'other' })).toMatchObject({
      ...{ status: 400, body: { message: expect.stringContaining('container-wide MAC address') } },
    });
  });

  it.each([
    ['gone', {}, 404, 'network gone not found'],
    ['__proto__', {}, 404, 'network __proto__ not found'],
    ['default', { gone: {} }, 404, 'network gone not found'],
    ['host', {}, 400, 'HostConfig.NetworkMode is not supported: host'],
    ['container:x', {}, 400, 'HostConfig.NetworkMode is not supported: container:x'],
    ['default', { host: {} }, 400, 'NetworkingConfig.EndpointsConfig is not supported: host'],
    ['none', { db: {} }, 400, 'one of the networks in private (none) mode'],
    ['none', { bridge: {} }, 400, 'one of the networks in private (none) mode'],
    ['db', { none: {} }, 400, 'one of the networks in private (none) mode'],
    ['db', { db: { GwPriority: 'x' } }, 400, 'GwPriority'],
    ['db', { db: { IPAMConfig: { IPv6Address: 'fd00::1' } } }, 400, 'network db has no IPv6'],
    [
      'db',
      { db: { IPAMConfig: { LinkLocalIPs: ['x'] } } },
      400,
      'invalid link-local IP address: x',
    ],
    ['db', { db: { IPAMConfig: { LinkLocalIPs: ['fe80::1'] } } }, 400, 'LinkLocalIPs is not'],
    ['default', { bridge: { IPAMConfig: { LinkLocalIPs: ['10.1.2.3'] } } }, 400, 'LinkLocalIPs'],
    ['default', { bridge: { IPAMConfig: { IPv4Address: '10.0.2.9' } } }, 400, 'user-defined'],
    ['none', { none: { IPAMConfig: { LinkLocalIPs: ['169.254.1.1'] } } }, 400, 'IPAMConfig'],
    [
      'db',
      { db: { IPAMConfig: { IPv4Address: '10.9.9.9' } } },
      400,
      'no configured subnet contains',
    ],
    ['db', { db: { IPAMConfig: { IPv4Address: 'x' } } }, 400, 'invalid IPv4 address: x'],
    ['db', { db: { MacAddress: '01:00:00:00:00:00' } }, 400, 'invalid MAC address'],
    ['db', { db: { Aliases: ['a b'] } }, 400, 'Aliases'],
    ['db', { db: { Aliases: ['a,b'] } }, 400, 'Aliases'],
    ['db', { db: { Aliases: ['a\nb'] } }, 400, 'Aliases'],
    ['db', { db: { Links: ['x:y:z'] } }, 400, 'bad format for links: x:y:z'],
    ['db', { db: { Links: [''] } }, 400, 'empty string specified for links'],
    ['db', { db: { Links: ['x:a b'] } }, 400, 'bad format for links'],
    [
      'default',
      { bridge: { Links: ['x'] } },
      400,
      'Links is not supported: links of the default network are in HostConfig.Links',
    ],
    [
      ...['db', { db: { DriverOpts: { 'com.docker.network.endpoint.sysctls': 'x' } } }, 400],
      'DriverOpts com.docker.network.endpoint.sysctls is not supported',
    ],
    ['db', { db: { DriverOpts: { a: 1 } } }, 400, 'DriverOpts'],
    [
      ...['default', { bridge: { DriverOpts: { 'com.docker.network.x': '' } } }, 400],
      'bridge.DriverOpts com.docker.network.x is not supported',
    ],
    ['db', { db: { Unheard: 1 } }, 400, 'Unheard'],
    ['db', { db: [] }, 400, 'must be an object'],
    ['default', { bridge: { Aliases: ['x'] } }, 400, 'network-scoped aliases are only supported'],
    [
      ...['default', { bridge: { IPAMConfig: { IPv4Address: '10.0.2.9' } } }, 400],
      'user-specified IP address is supported on user-defined networks only',
    ],
  ] as [string, object, number, string][])(
    'refuses a box in %s with the endpoints %j, before there is a record',
    async (mode, endpoints, status, message) => {
      await make('web', '10.1.3.0/24');
      expect(await create(mode, endpoints)).toMatchObject({
        ...{ status, body: { message: expect.stringContaining(message) } },
      });
      expect(home.runtime.store.list()).toEqual([]);
    },
  );

  it('refuses an address of a subnet that the server chose', async () => {
    await home.call('POST', '/networks/create', { Name: 'chosen' });
    const endpoint = { IPAMConfig: { IPv4Address: '10.89.0.9' } };
    expect(await create('chosen', { chosen: endpoint })).toMatchObject({
      ...{ status: 400 },
      body: { message: expect.stringContaining('networks with user configured subnets') },
    });
  });

  it('does not start a box where the host cannot make networks, and says why', async () => {
    const id = await created('db');
    home.hostNetworks.answer = { available: false, reason: 'nft is missing' };
    expect(await home.call('POST', `/containers/${id}/start`)).toMatchObject({
      status: 500,
      body: { code: 'network-unavailable', message: expect.stringContaining('nft is missing') },
    });
    expect(home.host.running).toEqual([]);
    expect(home.runtime.store.expect(id).state).toMatchObject({ status: 'created', exitCode: 125 });
  });

  it('shows a box with its network before it is attached and while it is', async () => {
    const Aliases = ['one'];
    const id = await created('db', { db: { Aliases, IPAMConfig: { IPv4Address: '10.1.2.7' } } });
    const { name, definition: recorded } = home.runtime.store.expect(id);
    const shown = {
      ...{ IPAMConfig: { IPv4Address: '10.1.2.7' }, Aliases, NetworkID: network },
      DNSNames: [name, 'one', id.slice(0, 12)],
    };
    const none = { MacAddress: '', EndpointID: '', Gateway: '', IPAddress: '', IPPrefixLen: 0 };
    expect(await inspect(id)).toMatchObject({
      ...{ HostConfig: { NetworkMode: 'db' } },
      NetworkSettings: { IPAddress: '', Networks: { db: { ...shown, ...none } } },
    });
    const [asked] = recorded.endpoints;
    const { mac, id: EndpointID } = home.runtime.networks.attach(network, id, asked);
    const place = { Gateway: '10.1.2.1', IPAddress: '10.1.2.7', IPPrefixLen: 24 };
    const attached = { ...shown, ...place, MacAddress: mac, EndpointID };
    expect(await inspect(id)).toMatchObject({
      ...{ NetworkSettings: { IPAddress: '', Networks: { db: attached } } },
    });
  });

  it('shows a box with the name that its network was asked for by when the network is gone', async () => {
    const id = await created('db');
    await home.call('DELETE', '/networks/db');
    expect(await inspect(id)).toMatchObject({ NetworkSettings: { Networks: { db: {} } } });
  });

  it('lists a box by the name and the id of its network', async () => {
    const id = await created(network.slice(0, 12));
    const other = await created('default');
    const listed = async (value: string) => {
      const filters = encodeURIComponent(JSON.stringify({ network: [value] }));
      const { body } = await home.call('GET', `/containers/json?all=1&filters=${filters}`);
      return (body as { Id: string }[]).map(({ Id }) => Id);
    };
    expect(await listed('db')).toEqual([id]);
    expect(await listed(network)).toEqual([id]);
    expect(await listed(network.slice(0, 6))).toEqual([id]);
    expect(await listed('user')).toEqual([]);
    expect(await listed('bridge')).toEqual([other]);
  });
});

const NOTHING = {
  ...{ IPAMConfig: {}, Links: null, Aliases: null, MacAddress: '', DriverOpts: null },
  ...{ NetworkID: '', EndpointID: '', Gateway: '', IPAddress: '', IPPrefixLen: 0 },
  ...{ IPv6Gateway: '', GlobalIPv6Address: '', GlobalIPv6PrefixLen: 0, DNSNames: null },
};
