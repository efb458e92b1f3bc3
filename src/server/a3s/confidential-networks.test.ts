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

  it('refuses link-local addresses of a confidential box in a network', async () => {
    const endpoints = { front: { IPAMConfig: { LinkLocalIPs: ['169.254.8.8'] } } };
    expect(await create(body('front', endpoints))).toMatchObject({
      status: 400,
      body: {
        ...{ code: 'unsupported-option', message: expect.stringContaining('LinkLocalIPs') },
        remedy: expect.stringContaining('Leave'),
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

  describe('that its host puts into others', () => {
    const call = (verb: 'connect' | 'disconnect', network: string, more: object) =>
      home.call('POST', `/networks/${network}/${verb}`, more);
    const networksOf = (id: string) => home.agents.get(id)?.networks;
    const devicesOf = (id: string) => networksOf(id)?.cards.map(({ device }) => device);
    const permitting = (mode: string, endpoints: object, more: object, host: object = {}) => ({
      ...body(mode, endpoints, host),
      Confidential: { Tee: 'simulate', ...more },
    });

    it('connects it while it runs by cards that it has from its start, up to what its launch spec says', async () => {
      const Container = await started(permitting('front', { front: {} }, { HostNetworks: 2 }));
      expect(specOf(Container)).toMatchObject({ hostNetworks: 2 });
      const { nic, moreNics = [] } = home.host.vm(Container)?.spec ?? {};
      expect(moreNics).toMatchObject([{ idle: true, redirectable: true }]);
      const EndpointConfig = { Aliases: ['vault'] };
      expect(await call('connect', 'back', { Container, EndpointConfig })).toMatchObject({
        status: 200,
      });
      const [first, second] = home.hostNetworks.placesOf(Container);
      expect([first?.mac, first?.cardMac]).toEqual([nic?.mac, undefined]);
      // The network sees an address that is made of the IP address, as ever.
      expect([second?.mac, second?.cardMac]).toEqual(['02:42:0a:01:03:02', moreNics[0]?.mac]);
      expect(second?.names).toContain('vault');
      expect(networksOf(Container)).toMatchObject({
        cards: [
          { device: 'eth0', mac: nic?.mac },
          { device: 'eth1', mac: moreNics[0]?.mac, address: '10.1.3.2' },
        ],
        search: [],
      });
      expect([...(home.host.vm(Container)?.cards ?? [])]).toEqual([[1, moreNics[0]?.mac]]);
      const before = [networksOf(Container), home.hostNetworks.placesOf(Container)];
      expect(await call('connect', 'third', { Container })).toMatchObject({
        status: 403,
        body: { code: 'host-not-permitted', rule: 'hostNetworks' },
      });
      expect([networksOf(Container), home.hostNetworks.placesOf(Container)]).toEqual(before);
      // Another network takes the place of one that it leaves, by the card of that one.
      expect(await call('disconnect', 'front', { Container })).toMatchObject({ status: 200 });
      expect(devicesOf(Container)).toEqual(['eth1']);
      expect(await call('connect', 'third', { Container })).toMatchObject({ status: 200 });
      expect(devicesOf(Container)).toEqual(['eth1', 'eth0']);
      expect(home.hostNetworks.placesOf(Container)).toMatchObject([
        { mac: '02:42:0a:01:03:02', cardMac: moreNics[0]?.mac },
        { mac: '02:42:0a:01:04:02', cardMac: nic?.mac },
      ]);
      expect(specOf(Container)).toMatchObject({ hostNetworks: 2 });
      await home.call('DELETE', `/containers/${Container}?force=1`);
    });

    it('says as an event that the launch spec does not permit a network', async () => {
      const Container = await started(body('front', { front: {} }));
      const since = Math.floor(Date.now() / 1000);
      await call('connect', 'back', { Container });
      const filters = JSON.stringify({ event: ['spec-refused'], container: [Container] });
      const events = `/events?since=${since - 1}&until=${since + 2}&filters=${filters}`;
      expect(JSON.stringify((await home.call('GET', events)).body)).toMatch(
        /"rule":"hostNetworks"/,
      );
      await home.call('DELETE', `/containers/${Container}?force=1`);
    });

    it('connects it before its next start, and has a card for each network that it may be in', async () => {
      const { body: created } = await create(permitting('bridge', {}, { HostNetworks: 3 }));
      const { Id: Container } = created as { Id: string };
      expect(await call('connect', 'back', { Container })).toMatchObject({ status: 200 });
      await home.call('POST', `/containers/${Container}/start`);
      const { nic, moreNics } = home.host.vm(Container)?.spec ?? {};
      expect(nic).not.toHaveProperty('tap');
      expect(moreNics).toMatchObject([{ tap: expect.any(Number) }, { idle: true }]);
      expect(devicesOf(Container)).toEqual(['eth0', 'eth1']);
      // Its own network has the one card that leads nowhere else.
      expect(await call('disconnect', 'bridge', { Container })).toMatchObject({ status: 200 });
      expect(devicesOf(Container)).toEqual(['eth1']);
      expect(await call('connect', 'front', { Container })).toMatchObject({ status: 200 });
      expect(devicesOf(Container)).toEqual(['eth1', 'eth2']);
      expect(await call('connect', 'third', { Container })).toMatchObject({
        status: 409,
        body: { code: 'conflict', remedy: expect.stringContaining('Restart') },
      });
      expect(devicesOf(Container)).toEqual(['eth1', 'eth2']);
      await home.call('DELETE', `/containers/${Container}?force=1`);
    });

    it('starts it in none of its networks, and connects it then', async () => {
      const { body: created } = await create(body('front', { front: {} }));
      const { Id: Container } = created as { Id: string };
      expect(await call('disconnect', 'front', { Container })).toMatchObject({ status: 200 });
      await home.call('POST', `/containers/${Container}/start`);
      expect(home.host.vm(Container)?.spec.nic).toMatchObject({ idle: true });
      expect(networksOf(Container)).toMatchObject({ cards: [], nameservers: [] });
      expect(await call('connect', 'back', { Container })).toMatchObject({ status: 200 });
      expect(devicesOf(Container)).toEqual(['eth0']);
      await home.call('DELETE', `/containers/${Container}?force=1`);
    });

    it('takes back what it has done where a card cannot be led', async () => {
      const Container = await started(permitting('front', { front: {} }, { HostNetworks: 2 }));
      const vm = home.host.vm(Container);
      if (vm === undefined) throw new Error('it does not run');
      vm.attachFailure = new Error('no tap');
      expect((await call('connect', 'back', { Container })).status).toBe(500);
      expect(home.hostNetworks.placesOf(Container)).toHaveLength(1);
      vm.attachFailure = undefined;
      expect(await call('connect', 'back', { Container })).toMatchObject({ status: 200 });
      await home.call('DELETE', `/containers/${Container}?force=1`);
    });

    it('gives the network the hardware address that was asked for, and the card from the next start on', async () => {
      const Container = await started(permitting('front', { front: {} }, { HostNetworks: 2 }));
      const mac = '02:42:0a:01:03:09';
      const EndpointConfig = { MacAddress: mac };
      expect(await call('connect', 'back', { Container, EndpointConfig })).toMatchObject({
        status: 200,
      });
      const card = home.host.vm(Container)?.spec.moreNics?.[0]?.mac;
      expect(home.hostNetworks.placesOf(Container)[1]).toMatchObject({ mac, cardMac: card });
      expect(networksOf(Container)?.cards[1]).toMatchObject({ mac: card });
      await home.call('POST', `/containers/${Container}/restart?t=0`);
      expect(home.host.vm(Container)?.spec.moreNics).toMatchObject([{ mac, redirectable: true }]);
      await home.call('DELETE', `/containers/${Container}?force=1`);
    });

    it('enforces the policy of a network that it is connected to, and its own there', async () => {
      const Container = await started({
        ...permitting('front', { front: {} }, { HostNetworks: 2 }),
        Egress: { Rules: ['allow:*.example.org:tcp:443'] },
      });
      const Egress = { Rules: ['deny:198.51.100.0/24'] };
      const IPAM = { Config: [{ Subnet: '10.1.5.0/24' }] };
      await home.call('POST', '/networks/create', { Name: 'limited', IPAM, Egress });
      expect(await call('connect', 'limited', { Container })).toMatchObject({ status: 200 });
      const [first, second] = home.hostNetworks.placesOf(Container);
      expect(JSON.stringify(first?.egress)).toMatch(/example\.org/);
      expect(JSON.stringify(second?.egress)).toMatch(
        /example\.org.*198\.51\.100|198\.51\.100.*example\.org/,
      );
      // The launch spec has the policy of the box, and none of a network.
      expect(specOf(Container)).toMatchObject({
        egress: { default: 'deny', rules: ['allow:*.example.org:tcp:443'] },
      });
      expect(JSON.stringify(specOf(Container))).not.toContain('198.51.100');
      await home.call('DELETE', `/containers/${Container}?force=1`);
    });

    it('gives its guest addresses for the names of its links, which its launch spec has', async () => {
      const endpoints = { front: { Links: ['db:database', 'cache'] } };
      const Container = await started(permitting('front', endpoints, { HostNames: ['later'] }));
      expect(specOf(Container)).toMatchObject({ hostNames: ['cache', 'database', 'later'] });
      expect(networksOf(Container)).toMatchObject({ hosts: [] });
      const { body: other } = await home.call('POST', '/containers/create?name=db', {
        ...{ Image: 'busybox', Cmd: ['sleep', 'infinity'], HostConfig: { NetworkMode: 'front' } },
      });
      const { Id: db } = other as { Id: string };
      await home.call('POST', `/containers/${db}/start`);
      const lines = [{ name: 'database', address: expect.stringMatching(/^10\.1\.2\./) }];
      await expect.poll(() => networksOf(Container)?.hosts).toEqual(lines);
      // They are there from the start on after a restart.
      await home.call('POST', `/containers/${Container}/restart?t=0`);
      expect(networksOf(Container)?.hosts).toEqual(lines);
      await home.call('DELETE', `/containers/${db}?force=1`);
      await expect.poll(() => networksOf(Container)?.hosts).toEqual([]);
      // A later network may have a name that the launch spec has, and no other.
      await call('disconnect', 'front', { Container });
      const link = (name: string) => ({ Container, EndpointConfig: { Links: [`db:${name}`] } });
      expect(await call('connect', 'back', link('web'))).toMatchObject({
        status: 403,
        body: { code: 'host-not-permitted', rule: 'hostNames' },
      });
      expect(home.hostNetworks.placesOf(Container)).toEqual([]);
      expect(await call('connect', 'back', link('later'))).toMatchObject({ status: 200 });
      await home.call('DELETE', `/containers/${Container}?force=1`);
    });

    it.each([
      ['fewer networks than it is in', 'front', { front: {}, back: {} }, { HostNetworks: 1 }],
      ['networks without a network', 'none', {}, { HostNetworks: 1 }],
      ['names without networks', 'bridge', {}, { HostNames: ['db'] }],
      ['its own name', 'front', { front: {} }, { HostNames: ['box'] }],
      ['the name of the loopback', 'front', { front: { Links: ['db:localhost'] } }, {}],
    ])('refuses to leave %s to the host', async (_, mode, endpoints, more) => {
      expect(await create(permitting(mode, endpoints, more))).toMatchObject({
        status: 400,
        body: { code: 'invalid-argument' },
      });
    });

    it('refuses to change one that runs where its agent would keep its card', async () => {
      home.agentOptions = { protocol: { minimum: 1, maximum: 18 } };
      const Container = await started(permitting('front', { front: {} }, { HostNetworks: 2 }));
      home.agentOptions = {};
      for (const [network, verb] of [
        ['back', 'connect'],
        ['front', 'disconnect'],
      ] as const) {
        expect(await call(verb, network, { Container })).toMatchObject({
          status: 400,
          body: { code: 'unsupported-option', message: expect.stringContaining('agent') },
        });
      }
      await home.call('DELETE', `/containers/${Container}?force=1`);
    });
  });

  it('refuses links and later networks where the agent of its boot set knows none', async () => {
    const { boot } = home;
    const confidential = boot.confidential && { ...boot.confidential, launchSpec: 13 };
    home.boot = { ...boot, confidential };
    const endpoints = { front: { Links: ['db'] } };
    const later = { ...body('bridge', {}), Confidential: { Tee: 'simulate', HostNetworks: 1 } };
    const answers = [await create(body('front', endpoints)), await create(later)];
    home.boot = boot;
    expect(answers).toMatchObject(
      ['links of confidential boxes', 'later networks'].map((what) => ({
        status: 400,
        body: { code: 'unsupported-option', message: expect.stringContaining(what) },
      })),
    );
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
