import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { TestHome } from '../testing/home.ts';
import { allowConfidential } from '../testing/signed-images.ts';

const home = new TestHome();
beforeAll(async () => {
  home.trust.rules = [allowConfidential('**')];
  await home.start();
  for (const [Name, Subnet] of [
    ['front', '10.1.2.0/24'],
    ['back', '10.1.3.0/24'],
    ['third', '10.1.4.0/24'],
  ]) {
    const ipam = { Config: [{ Subnet }] };
    const { status } = await home.call('POST', '/networks/create', { Name, IPAM: ipam });
    expect(status).toBe(201);
  }
});
afterAll(() => home.remove());

const body = (mode: string, endpoints: object, host: object = {}) => ({
  ...{ Image: 'busybox', Cmd: ['sleep', '1'], Confidential: { Tee: 'simulate' } },
  HostConfig: { NetworkMode: mode, ...host },
  NetworkingConfig: { EndpointsConfig: endpoints },
});

const create = (document: object) => home.call('POST', '/containers/create', document);

async function started(document: object): Promise<string> {
  const { status, body } = await create(document);
  expect([status, body]).toEqual([201, expect.anything()]);
  const { Id: id } = body as { Id: string };
  expect(await home.call('POST', `/containers/${id}/start`)).toMatchObject({ status: 204 });
  return id;
}

const specOf = (id: string) =>
  JSON.parse(home.runtime.store.expect(id).definition.confidential?.launchSpec ?? '');

describe('a confidential box in user-defined networks', () => {
  it('gives a confidential box a place, ports and a policy in a network, and its guest addresses alone', async () => {
    const endpoints = {
      front: { Aliases: ['main'], IPAMConfig: { IPv4Address: '10.1.2.9' } },
    };
    const id = await started({
      ...body('front', endpoints, {
        ...{ PortBindings: { '80/tcp': [{ HostPort: '0' }], '53/udp': [{ HostPort: '0' }] } },
        ...{ Dns: ['9.9.9.9'], DnsSearch: ['example.com'], DnsOptions: ['rotate'] },
      }),
      Egress: { Rules: ['allow:*.example.org:tcp:443'] },
    });
    expect(specOf(id)).toMatchObject({
      ...{ network: 'nic', hostNetworks: 1 },
      resolver: { nameservers: ['9.9.9.9'], search: ['example.com'], options: ['rotate'] },
      egress: { default: 'deny', rules: ['allow:*.example.org:tcp:443'] },
    });
    expect(JSON.stringify(specOf(id))).not.toMatch(/10\.1\.2|front|main/);
    const [place, ...more] = home.hostNetworks.placesOf(id);
    expect(more).toEqual([]);
    expect(place).toMatchObject({
      ...{ address: '10.1.2.9', nameservers: ['9.9.9.9'] },
      ...{ names: expect.arrayContaining(['main']), egress: expect.anything() },
      ports: [{ boxPort: 80 }, { boxPort: 53, protocol: 'udp' }],
    });
    const vm = home.host.vm(id);
    expect(vm?.spec.nic).toMatchObject({ mac: place?.mac, tap: expect.any(Number) });
    expect(vm?.spec.moreNics).toEqual([]);
    expect(home.agents.get(id)?.networks).toEqual({
      cards: [
        {
          ...{ device: 'eth0', mac: place?.mac, mtu: 65_520 },
          ...{ address: '10.1.2.9', prefixLength: 24 },
        },
      ],
      gateway: { device: 'eth0', address: '10.1.2.1' },
      ...{ nameservers: ['10.1.2.1'], search: [] },
    });
    await home.call('DELETE', `/containers/${id}?force=1`);
    expect(home.hostNetworks.placesOf(id)).toEqual([]);
  });

  it('launches a confidential box with a card for each of its networks, besides its own', async () => {
    const id = await started(body('bridge', { bridge: {}, front: {}, back: { GwPriority: 1 } }));
    expect(specOf(id)).toMatchObject({ hostNetworks: 3 });
    const { nic, moreNics } = home.host.vm(id)?.spec ?? {};
    const places = home.hostNetworks.placesOf(id);
    expect(nic).not.toHaveProperty('tap');
    expect(moreNics).toMatchObject(places.map(({ mac }) => ({ mac, tap: expect.any(Number) })));
    const { networks } = home.agents.get(id) ?? {};
    expect(networks?.cards.map(({ device, mac }) => [device, mac])).toEqual([
      ['eth0', nic?.mac],
      ...places.map(({ mac }, at) => [`eth${at + 1}`, mac]),
    ]);
    expect(networks?.gateway?.device).toBe(
      `eth${places.findIndex(({ address }) => address.startsWith('10.1.3.')) + 1}`,
    );
    await home.call('DELETE', `/containers/${id}?force=1`);
  });

  it('closes the cards of a confidential start that fails, and leaves its networks', async () => {
    const { body: created } = await create(body('front', { front: {}, back: {} }));
    const { Id: id } = created as { Id: string };
    const attach = home.hostNetworks.attach.bind(home.hostNetworks);
    home.hostNetworks.attach = async (endpoint) => {
      if (endpoint.network.subnet.startsWith('10.1.3.')) throw new Error('no bridge');
      return await attach(endpoint);
    };
    const answer = await home.call('POST', `/containers/${id}/start`);
    home.hostNetworks.attach = attach;
    expect(answer.status).toBe(500);
    expect(home.hostNetworks.placesOf(id)).toEqual([]);
    expect(home.host.running).not.toContain(id);
    expect((await home.call('POST', `/containers/${id}/start`)).status).toBe(204);
    await home.call('DELETE', `/containers/${id}?force=1`);
  });

  it('makes one launch spec for networks of all names', async () => {
    const specs = [];
    for (const name of ['front', 'third']) {
      const { body: created } = await create(body(name, {}));
      specs.push(specOf((created as { Id: string }).Id));
    }
    expect(specs[0]).toEqual(specs[1]);
    expect(specs[0]).toHaveProperty('hostNetworks', 1);
  });

  it('sends no networks to the guest of a confidential box that is in none', async () => {
    const id = await started(body('bridge', {}));
    expect(specOf(id)).not.toHaveProperty('hostNetworks');
    expect(home.agents.get(id)?.networks).toBeUndefined();
    await home.call('DELETE', `/containers/${id}?force=1`);
  });

  it.each([
    ['links', { front: { Links: ['db:database'] } }, '--network-alias'],
    ['LinkLocalIPs', { front: { IPAMConfig: { LinkLocalIPs: ['169.254.8.8'] } } }, 'Leave'],
  ])('refuses %s of a confidential box in a network', async (what, endpoints, remedy) => {
    expect(await create(body('front', endpoints))).toMatchObject({
      status: 400,
      body: {
        ...{ code: 'unsupported-option', message: expect.stringContaining(what) },
        remedy: expect.stringContaining(remedy),
      },
    });
  });

  it('refuses a confidential box in more networks than its microVM has places for', async () => {
    const names = Array.from({ length: 9 }, (_, at) => `n${at}`);
    const endpoints = Object.fromEntries(names.map((name) => [name, {}]));
    expect(await home.call('POST', '/a3s/v1/measure', body('n0', endpoints))).toMatchObject({
      status: 400,
      body: { code: 'unsupported-option', message: expect.stringContaining('9 networks') },
    });
  });

  it('refuses to connect a confidential box to a network, and to disconnect it', async () => {
    const { body: created } = await create(body('front', { front: {} }));
    const { Id: id } = created as { Id: string };
    for (const [network, verb] of [
      ['back', 'connect'],
      ['front', 'disconnect'],
    ] as const) {
      expect(
        await home.call('POST', `/networks/${network}/${verb}`, { Container: id }),
      ).toMatchObject({ status: 400, body: { message: expect.stringContaining('launch spec') } });
    }
  });

  it('refuses a confidential box in a network where the agent of its boot set knows none', async () => {
    const { boot } = home;
    const confidential = boot.confidential && { ...boot.confidential, launchSpec: 12 };
    home.boot = { ...boot, confidential };
    const answers = [await create(body('front', { front: {} })), await create(body('bridge', {}))];
    home.boot = boot;
    expect(answers).toMatchObject([
      {
        status: 400,
        body: {
          code: 'unsupported-option',
          message: expect.stringContaining('user-defined networks'),
        },
      },
      { status: 201 },
    ]);
  });
});
