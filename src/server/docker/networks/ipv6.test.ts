import { afterEach, beforeEach, expect, it } from 'vitest';
import { TestHome } from '../../testing/home.ts';

let home: TestHome;
let network: string;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
  const made = await home.call('POST', '/networks/create', {
    ...{ Name: 'db', EnableIPv6: true },
    IPAM: { Config: [{ Subnet: '10.1.2.0/24' }, { Subnet: 'fd00:89::/64' }] },
  });
  network = (made.body as { Id: string }).Id;
});
afterEach(() => home.remove());

const start = async (id: string) =>
  expect(await home.call('POST', `/containers/${id}/start`)).toMatchObject({ status: 204 });
const endpointOf = async (id: string): Promise<unknown> => {
  const { body } = await home.call('GET', `/containers/${id}/json`);
  return (body as { NetworkSettings: { Networks: Record<string, unknown> } }).NetworkSettings
    .Networks['db'];
};
const inNetwork = (IPv6Address: string) => ({
  HostConfig: { NetworkMode: 'db' },
  NetworkingConfig: { EndpointsConfig: { db: { IPAMConfig: { IPv6Address } } } },
});

it('gives the host and the guest the address of a box before its main process runs', async () => {
  const id = await home.create(['sleep', 'infinity'], inNetwork('fd00:89::0005'));
  await start(id);
  expect(home.hostNetworks.attached.get(id)).toMatchObject({
    network: { ipv6: { subnet: 'fd00:89::/64', gateway: 'fd00:89::1' } },
    address6: 'fd00:89::5',
  });
  expect(home.agents.get(id)?.networks?.cards).toMatchObject([
    {
      ...{ device: 'eth0', address: '10.1.2.2' },
      ipv6: {
        ...{ address: 'fd00:89::5', prefixLength: 64 },
        ...{ router: 'fe80::1', routerMac: '9a:55:9a:55:9a:55' },
      },
    },
  ]);
  expect(await endpointOf(id)).toMatchObject({
    IPAMConfig: { IPv6Address: 'fd00:89::5' },
    ...{ IPv6Gateway: 'fd00:89::1', GlobalIPv6Address: 'fd00:89::5', GlobalIPv6PrefixLen: 64 },
  });
});

it('gives a box that runs an address, and takes it again', async () => {
  const id = await home.create(['sleep', 'infinity']);
  await start(id);
  const connect = { Container: id };
  expect(await home.call('POST', '/networks/db/connect', connect)).toMatchObject({ status: 200 });
  const given = () => home.agents.get(id)?.networks?.cards.map(({ ipv6 }) => ipv6?.address);
  expect(given()).toEqual([undefined, 'fd00:89::2']);
  await home.call('POST', '/networks/db/disconnect', connect);
  expect(given()).toEqual([undefined]);
  expect(home.runtime.networks.endpointsOf(network)).toEqual([]);
});

it('limits a box over IPv6 as over IPv4', async () => {
  const Egress = { Rules: ['allow:*.example.org', 'allow:[2001:DB8::/32]:tcp:443'] };
  const id = await home.create(['sleep', 'infinity'], { ...inNetwork(''), Egress });
  await start(id);
  expect(home.hostNetworks.attached.get(id)).toMatchObject({
    address6: 'fd00:89::2',
    egress: {
      policies: [{ rules: ['allow:*.example.org:tcp', 'allow:[2001:db8::/32]:tcp:443'] }],
      boxSubnet6: 'fd00:89::/64',
      ownSubnets: expect.arrayContaining(['::1/128']),
    },
  });
  const explain = async (host: string) =>
    (await home.call('GET', `/a3s/v1/boxes/${id}/egress?host=${host}&port=443`)).body;
  expect(JSON.stringify(await explain('2001:db8::5'))).toContain('allow:[2001:db8::/32]:tcp:443');
});

it('publishes ports at IPv6 addresses of the host, also of boxes without IPv6', async () => {
  const PortBindings = { '80/tcp': [{ HostIp: '::1', HostPort: '' }] };
  const id = await home.create(['true'], { HostConfig: { NetworkMode: 'db', PortBindings } });
  await start(id);
  expect(home.hostNetworks.attached.get(id)?.ports).toEqual([
    { hostIp: '::1', hostPort: expect.any(Number), boxPort: 80, protocol: 'tcp' },
  ]);
  expect(home.hostNetworks.relayed.size).toBe(0);
  expect(await home.call('POST', '/networks/create', { Name: 'four' })).toMatchObject({
    status: 201,
  });
  for (const NetworkMode of ['bridge', 'four']) {
    const other = await home.create(['true'], { HostConfig: { NetworkMode, PortBindings } });
    await start(other);
    const [port] = home.hostNetworks.relayed.get(other) ?? [];
    expect(port).toMatchObject({ protocol: 'tcp', hostIp: '::1' });
    // What the engine or the host leads to the box, and what Docker's clients see.
    const vm =
      NetworkMode === 'bridge'
        ? home.host.launches.findLast((spec) => spec.nic !== undefined)?.nic
        : undefined;
    const { ports } = vm ?? home.hostNetworks.attached.get(other) ?? {};
    expect(ports).toEqual([
      { hostIp: '127.0.0.1', hostPort: port?.to, boxPort: 80, protocol: 'tcp' },
    ]);
    const shown = (await home.call('GET', `/containers/${other}/json`)).body;
    expect(shown).toMatchObject({
      NetworkSettings: { Ports: { '80/tcp': [{ HostIp: '::1', HostPort: `${port?.hostPort}` }] } },
    });
    await home.call('POST', `/containers/${other}/stop?t=0`);
    expect(home.hostNetworks.relayed.size).toBe(0);
  }
});

it('gives out addresses of an IPv6 range, and no auxiliary one', async () => {
  const range = {
    ...{ Subnet: 'fd00:8a::/64', IPRange: 'fd00:8a::100/126', Gateway: 'fd00:8a::1' },
    AuxiliaryAddresses: { printer: 'fd00:8a::100' },
  };
  const body = { Name: 'ranged', EnableIPv6: true, IPAM: { Config: [range] } };
  expect(await home.call('POST', '/networks/create', body)).toMatchObject({ status: 201 });
  expect((await home.call('GET', '/networks/ranged')).body).toMatchObject({
    IPAM: { Config: [{}, range] },
  });
  const id = await home.create(['true'], { HostConfig: { NetworkMode: 'ranged' } });
  await start(id);
  expect(home.hostNetworks.attached.get(id)).toMatchObject({
    address6: 'fd00:8a::101',
    network: { ipv6: { subnet: 'fd00:8a::/64', gateway: 'fd00:8a::1' } },
  });
});
