import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { BRIDGE } from '../../../networks/predefined.ts';
import { TestHome } from '../../testing/home.ts';

let home: TestHome;
beforeEach(async () => {
  home = new TestHome();
  await home.start();
});
afterEach(() => home.remove());

const create = (Egress: unknown, more: object = {}) =>
  home.call('POST', '/containers/create', { Image: 'busybox', Cmd: ['true'], Egress, ...more });
const network = async (Name: string, more: object = {}) => {
  const answer = await home.call('POST', '/networks/create', { Name, ...more });
  return (answer.body as { Id: string }).Id;
};
const many = (of: string) => Array.from({ length: 100 }, (_, at) => `deny:${of}${at}.example`);
const attached = () => home.hostNetworks.attached;

describe('a box with a network policy', () => {
  it('records a network policy in one spelling, rules of flags before those of the file', async () => {
    const Policy = 'default: public\nrules:\n  - deny:ADS.example.org\n';
    const { body } = await create({ Rules: ['allow:203.0.113.7'], Policy });
    const { Id } = body as { Id: string };
    const inspected = await home.call('GET', `/containers/${Id}/json`);
    expect(inspected.body).toMatchObject({
      Egress: { Default: 'public', Rules: ['allow:203.0.113.7/32', 'deny:ads.example.org'] },
    });
    const id = await home.create(['true']);
    expect((await home.call('GET', `/containers/${id}/json`)).body).toMatchObject({ Egress: null });
  });

  it.each([
    ['a rule that is none', { Rules: ['allow:*'] }, 'rules[0]'],
    ['a file that is none', { Policy: 'a: [' }, 'Cannot read'],
    ['a file with an unknown key', { Policy: 'rule: []\ndefault: deny' }, 'did you mean'],
    [
      'too many rules',
      { Rules: many('a'), Policy: JSON.stringify({ rules: many('b') }) },
      'at most 128',
    ],
  ])('refuses a network policy with %s', async (_, egress, message) => {
    expect(await create(egress)).toMatchObject({
      status: 400,
      body: { code: 'policy-invalid', message: expect.stringContaining(message) },
    });
    expect(home.runtime.store.list()).toEqual([]);
  });

  it.each([
    ['none', 'invalid-argument'],
    ['default beside another', 'unsupported-option'],
  ])('refuses a box with a network policy in the network %s', async (mode, code) => {
    await network('db');
    const networking = { EndpointsConfig: { bridge: {}, db: {} } };
    const more =
      mode === 'none' ? { HostConfig: { NetworkMode: 'none' } } : { NetworkingConfig: networking };
    expect(await create({ Rules: [] }, more)).toMatchObject({ status: 400, body: { code } });
  });

  it('refuses a network policy where the host cannot limit boxes, with the reason', async () => {
    home.hostNetworks.answer = { available: false, reason: 'no tap device' };
    expect(await create({ Rules: [] })).toMatchObject({
      body: { code: 'network-unavailable', message: expect.stringContaining('no tap device') },
    });
  });

  it('gives a box with a network policy a filtered network to itself until it is disconnected', async () => {
    const id = await home.create(['sleep', 'infinity'], {
      Egress: { Rules: ['allow:*.example.org'] },
      HostConfig: { PortBindings: { '80/tcp': [{ HostIp: '127.0.0.1' }] }, Dns: ['9.9.9.9'] },
    });
    expect(await home.call('POST', `/containers/${id}/start`)).toMatchObject({ status: 204 });
    expect(attached().get(id)).toMatchObject({
      network: { id: BRIDGE.id, subnet: '10.0.2.0/24', gateway: '10.0.2.2' },
      ...{ address: '10.0.2.15', resolver: '10.0.2.3' },
      ports: [{ hostIp: '127.0.0.1', boxPort: 80 }],
      egress: {
        policies: [{ of: 'box', default: 'deny', rules: ['allow:*.example.org:tcp'] }],
        ...{ resolvers: ['9.9.9.9'], upstreams: ['9.9.9.9'], namesBoxes: false },
      },
    });
    expect(home.host.launches.at(-1)?.nic).toMatchObject({ ports: [], tap: expect.any(Number) });
    expect(home.agents.get(id)?.spec?.network).toMatchObject({
      ...{ kind: 'nic', address: '10.0.2.15', gateway: '10.0.2.2', nameservers: ['9.9.9.9'] },
    });
    expect(await home.call('POST', `/networks/bridge/disconnect`, { Container: id })).toMatchObject(
      { status: 200 },
    );
    expect(attached().has(id)).toBe(false);
    await home.call('POST', `/containers/${id}/kill`);
  });

  it('detaches a box with a network policy at the end of its run', async () => {
    const id = await home.create(['sleep', 'infinity'], { Egress: { Rules: [] } });
    await home.call('POST', `/containers/${id}/start`);
    expect(attached().has(id)).toBe(true);
    await home.call('POST', `/containers/${id}/kill`);
    await expect.poll(() => attached().has(id)).toBe(false);
  });

  it('refuses a limited box a second network of another kind', async () => {
    const [own, shared] = await Promise.all([
      home.create(['x'], { Egress: { Rules: [] } }),
      network('db').then(() =>
        home.create(['x'], { Egress: { Rules: [] }, HostConfig: { NetworkMode: 'db' } }),
      ),
    ]);
    const connect = (name: string, Container: string) =>
      home.call('POST', `/networks/${name}/connect`, { Container });
    expect(await connect('db', own)).toMatchObject({ body: { code: 'unsupported-option' } });
    expect(await connect('bridge', shared)).toMatchObject({ body: { code: 'unsupported-option' } });
  });

  it('refuses a memory snapshot of a box with a network policy that has booted', async () => {
    const id = await home.create(['sleep', 'infinity'], { Egress: { Rules: [] } });
    await home.call('POST', `/containers/${id}/start`);
    const answer = await home.call('POST', '/a3s/v1/snapshots', {
      box: id,
      name: 'snap',
      memory: true,
    });
    expect(answer).toMatchObject({
      body: { code: 'unsupported-option', message: expect.stringContaining('network policy') },
    });
  });
});

describe('a network with a policy', () => {
  it('limits boxes by the policy of their network and by their own', async () => {
    const of = await network('db', { Egress: { Rules: ['allow:a.example'], Default: 'deny' } });
    expect((await home.call('GET', '/networks/db')).body).toMatchObject({
      Egress: { Default: 'deny', Rules: ['allow:a.example:tcp'] },
    });
    const id = await home.create(['sleep', 'infinity'], {
      ...{ Egress: { Rules: ['allow:*.example'] }, HostConfig: { NetworkMode: 'db' } },
    });
    await home.call('POST', `/containers/${id}/start`);
    const place = attached().get(id);
    expect(place?.network.id).toBe(of);
    expect(place?.egress).toMatchObject({
      policies: [
        { of: 'box', rules: ['allow:*.example:tcp'] },
        { of: 'network', rules: ['allow:a.example:tcp'] },
      ],
      ...{ resolvers: [place?.network.gateway], upstreams: [place?.network.gateway] },
      ...{ namesBoxes: true, boxSubnet: place?.network.subnet },
    });
    await home.call('POST', `/containers/${id}/kill`);
  });

  it('refuses a network whose policy has an invalid rule', async () => {
    const body = { Name: 'db', Egress: { Rules: ['nothing'] } };
    expect(await home.call('POST', '/networks/create', body)).toMatchObject({
      body: { code: 'policy-invalid' },
    });
    expect(home.runtime.networks.list()).toEqual([]);
  });
});

describe('an explanation', () => {
  const explain = (id: string, asked: string) =>
    home.call('GET', `/a3s/v1/boxes/${id}/egress?${asked}`);

  it('explains which rule decides, in each network that leads outside', async () => {
    await network('db', { Egress: { Rules: ['deny:b.example', 'allow:*.example:tcp:443'] } });
    await network('back', { Internal: true });
    const id = await home.create(['x'], {
      Egress: { Rules: ['allow:203.0.113.0/24:tcp:443', 'allow:*.example'], Default: 'public' },
      NetworkingConfig: { EndpointsConfig: { db: {}, back: {} } },
      HostConfig: { NetworkMode: 'db' },
    });
    const of = async (asked: string) =>
      ((await explain(id, asked)).body as { Networks: unknown[] }).Networks;
    expect(await of('host=a.example&port=443')).toEqual([
      {
        ...{ Network: 'db', Allowed: true, Policy: 'box', Rule: 'allow:*.example:tcp' },
        Notes: expect.arrayContaining([expect.stringContaining('allow:203.0.113.0/24:tcp:443')]),
      },
    ]);
    expect(await of('host=b.example&port=443')).toMatchObject([
      { Allowed: false, Policy: 'network', Rule: 'deny:b.example' },
    ]);
    expect(await of('host=a.example&port=80')).toMatchObject([
      { Allowed: false, Policy: 'network', Rule: 'default:deny' },
    ]);
    expect(await of('host=203.0.113.7&port=443')).toMatchObject([
      {
        Allowed: false,
        Policy: 'network',
        Rule: 'default:deny',
        Notes: [/deny:b/, /allow:/].map((rule) => expect.stringMatching(rule)),
      },
    ]);
    expect(await of('host=10.0.0.1&port=443')).toMatchObject([
      { Allowed: false, Policy: 'box', Rule: 'default:public' },
    ]);
    expect(await of('host=198.51.100.1&port=53&protocol=udp')).toMatchObject([
      { Allowed: false, Rule: expect.stringContaining('DNS server') },
    ]);
  });

  it('explains that boxes of its networks are reached in them, also without a way out', async () => {
    await network('front', { Egress: { Rules: [] } });
    await network('inner', { Internal: true });
    const id = await home.create(['x'], {
      NetworkingConfig: { EndpointsConfig: { front: {}, inner: {} } },
      HostConfig: { NetworkMode: 'front' },
    });
    const { body } = await home.call('GET', '/networks/inner');
    const [{ Gateway }] = (body as { IPAM: { Config: [{ Gateway: string }] } }).IPAM.Config;
    expect((await explain(id, `host=${Gateway}&port=5432`)).body).toMatchObject({
      Networks: [{ Network: 'inner', Allowed: true, Policy: '' }],
    });
    expect((await explain(id, 'host=db&port=5432')).body).toMatchObject({
      Networks: [{ Network: 'front', Allowed: true, Policy: '' }],
    });
  });

  it('explains that a box has no policy, and refuses an invalid target', async () => {
    const id = await home.create(['x']);
    expect((await explain(id, 'host=a.example&port=443')).body).toEqual({
      Target: 'a.example:443/tcp',
      Networks: [{ Network: 'bridge', Allowed: true, Policy: '', Rule: '', Notes: [] }],
    });
    expect(await explain(id, 'host=a..b&port=443')).toMatchObject({
      body: { code: 'invalid-argument' },
    });
    expect(await explain(id, 'host=a.example&port=0')).toMatchObject({ status: 400 });
    expect(await explain('nobody', 'host=a.example&port=1')).toMatchObject({ status: 404 });
  });
});
