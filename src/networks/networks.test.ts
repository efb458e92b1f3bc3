import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../state/database.ts';
import { readSubnet, type Subnet } from './ipv4.ts';
import { MAX_NETWORKS, Networks } from './networks.ts';
import { NETWORK_MIGRATIONS, NetworkRecords } from './records.ts';
import type { NetworkRequest, SubnetRequest } from './request.ts';

let home: string;
let database: Database;
let networks: Networks;
let events: string[];
let ofHost: Subnet[];
let availability: { available: boolean; reason: string | undefined };

function open(): Networks {
  return new Networks({
    records: new NetworkRecords(database),
    userNetworks: async () => availability,
    hostSubnets: async () => ofHost,
    onEvent: (action: string, { name }: { name: string }, box = '') =>
      events.push(`${action} ${name} ${box}`.trim()),
    now: () => '2026-01-02T03:04:05.000000006Z',
  });
}

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'a3s-networks-'));
  database = openDatabase(join(home, 'state.db'), NETWORK_MIGRATIONS);
  events = [];
  ofHost = [];
  availability = { available: true, reason: undefined };
  networks = open();
});
afterEach(() => {
  database.close();
  rmSync(home, { recursive: true });
});

function asked(name: string, more: Partial<NetworkRequest> = {}): NetworkRequest {
  return {
    ...{ name, internal: false, attachable: false, labels: {}, options: {}, addresses: undefined },
    ...more,
  };
}
function subnet(
  text: string,
  more: Partial<SubnetRequest> = {},
): Pick<NetworkRequest, 'addresses'> {
  return { addresses: { subnet: text, gateway: '', ipRange: '', auxAddresses: {}, ...more } };
}
const create = (name: string, more?: Partial<NetworkRequest>) => networks.create(asked(name, more));

describe('creating a network', () => {
  it('records a network that the next server finds', async () => {
    const network = await create('db', { labels: { a: 'b' }, internal: true });
    expect(network).toMatchObject({
      ...{ name: 'db', driver: 'bridge', subnet: '10.89.0.0/24', gateway: '10.89.0.1' },
      ...{ internal: true, labels: { a: 'b' }, asked: { auxAddresses: {} } },
      id: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    expect(open().find('db')).toEqual(network);
    expect(events).toEqual(['create db']);
  });

  it('keeps what was asked of the addresses', async () => {
    const gateway = '10.1.255.254';
    const auxAddresses = { printer: '10.1.2.3' };
    const more = { gateway, ipRange: '10.1.5.0/24', auxAddresses };
    expect(await create('db', subnet('10.1.0.0/16', more))).toMatchObject({
      ...{ subnet: '10.1.0.0/16', gateway, ipRange: '10.1.5.0/24' },
      asked: { subnet: '10.1.0.0/16', gateway, auxAddresses },
    });
  });

  it('chooses subnets that neither another network nor the host has', async () => {
    ofHost = ['10.89.1.77/32', '10.89.3.0/24'].map(readSubnet);
    await create('given', subnet('10.89.2.128/25'));
    const chosen = [await create('a'), await create('b'), await create('c')];
    expect(chosen.map((each) => each.subnet)).toEqual([
      ...['10.89.0.0/24', '10.89.4.0/24', '10.89.5.0/24'],
    ]);
  });

  it('chooses other private subnets where the host has a route to all of 10.0.0.0/8', async () => {
    ofHost = ['10.0.0.0/8', '172.16.0.0/12'].map(readSubnet);
    expect(await create('a')).toMatchObject({ subnet: '192.168.0.0/24' });
    ofHost.push(readSubnet('192.168.0.0/16'));
    await expect(create('b')).rejects.toMatchObject({
      ...{ code: 'invalid-argument' },
      message: 'all predefined address pools have been fully subnetted',
    });
  });

  it('makes one network of calls that ask for one name at once', async () => {
    const results = await Promise.allSettled(Array.from({ length: 10 }, () => create('db')));
    expect(results.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    await expect(create('db')).rejects.toMatchObject({
      ...{ code: 'name-in-use', message: 'network with name db already exists' },
    });
  });

  it('gives networks that are created at once different subnets', async () => {
    const names = Array.from({ length: 20 }, (_, index) => `net${index}`);
    const made = await Promise.all(names.map((name) => create(name)));
    expect(new Set(made.map((each) => each.subnet)).size).toBe(20);
  });

  it('refuses more networks than a home may have', async () => {
    for (let index = 0; index < MAX_NETWORKS; index += 1) await create(`n${index}`);
    await expect(create('one-more')).rejects.toMatchObject({ code: 'conflict' });
    networks.remove('n0');
    await expect(create('one-more')).resolves.toMatchObject({ name: 'one-more' });
  });

  it.each(['bridge', 'none', 'host', 'default'])('refuses the predefined name %s', async (name) => {
    await expect(create(name)).rejects.toMatchObject({ code: 'network-forbidden' });
  });

  it.each(['', ' ', '.', '..', 'container:x', 'x'.repeat(256), 'a\u001b[0m'])(
    'refuses the name %j',
    async (name) => {
      await expect(create(name)).rejects.toMatchObject({ code: 'invalid-argument' });
      expect(networks.list()).toEqual([]);
    },
  );

  it.each([
    ['10.1.0.0/16', {}, '10.1.2.0/24'],
    ['10.1.2.0/24', {}, '10.1.0.0/16'],
    ['10.1.2.0/24', {}, '10.1.2.0/24'],
    ['10.1.2.0/24', {}, '10.0.2.0/24'],
    ['10.1.2.0/24', {}, '10.0.0.0/8'],
  ])('refuses a subnet that overlaps: beside %s', async (first, more, second) => {
    await create('first', subnet(first, more));
    await expect(create('second', subnet(second))).rejects.toMatchObject({
      code: 'network-forbidden',
      message: 'invalid pool request: Pool overlaps with other one on this address space',
    });
  });

  it.each([
    ['10.1.2.3/24', {}, 'it should be 10.1.2.0/24'],
    ['10.1.2.0', {}, 'no CIDR notation'],
    ['nonsense', {}, 'no CIDR notation'],
    ['10.1.2.0/31', {}, '8 to 30 bits'],
    ['0.0.0.0/0', {}, '8 to 30 bits'],
    ['127.0.0.0/8', {}, 'loopback'],
    ['169.254.0.0/24', {}, 'link-local'],
    ['224.0.0.0/24', {}, 'no unicast'],
    ['10.1.2.0/24', { gateway: '10.1.3.1' }, "parent subnet 10.1.2.0/24 doesn't contain this"],
    ['10.1.2.0/24', { gateway: 'x' }, 'no IPv4 address'],
    ['10.1.2.0/24', { gateway: '10.1.2.0' }, 'the address of the subnet'],
    ['10.1.2.0/24', { gateway: '10.1.2.255' }, 'of its broadcasts'],
    ['10.1.2.0/24', { ipRange: '10.1.3.0/25' }, "doesn't contain ip-range"],
    ['10.1.2.0/24', { ipRange: '10.1.0.0/16' }, 'bigger than its parent'],
    ['10.1.2.0/24', { ipRange: '10.1.2.5/28' }, 'it should be 10.1.2.0/28'],
    ['10.1.2.0/24', { auxAddresses: { a: '10.9.9.9' } }, 'invalid auxiliary address a'],
  ])('refuses the subnet %s with %j', async (text, more, message) => {
    await expect(create('db', subnet(text, more))).rejects.toMatchObject({
      ...{ code: 'invalid-argument', message: expect.stringContaining(message) },
    });
    expect(networks.list()).toEqual([]);
  });

  it('gives a network an IPv6 subnet, as it was asked for or of its own choice', async () => {
    const asked = await create('db', { ipv6: { subnet: 'fd00:0089::/64', gateway: '' } });
    expect(asked).toMatchObject({
      ipv6: { subnet: 'fd00:89::/64', gateway: 'fd00:89::1' },
      asked: { subnet6: true },
    });
    const { ipv6, asked: none } = await create('web', { ipv6: { subnet: '', gateway: '' } });
    expect(ipv6?.subnet).toMatch(/^fd[0-9a-f:]+::\/64$/);
    expect(ipv6?.gateway).toBe(ipv6?.subnet.replace('/64', '1'));
    expect(none.subnet6).toBeUndefined();
    expect(open().list()).toEqual(networks.list());
  });

  it.each([
    [{ subnet: 'fd00:89::1/64', gateway: '' }, {}, 'it should be fd00:89::/64'],
    [{ subnet: 'fd00:89::/127', gateway: '' }, {}, 'must have 8 to 126 bits'],
    [{ subnet: 'x', gateway: '' }, {}, 'it is no CIDR notation'],
    [{ subnet: 'fe80::/64', gateway: '' }, {}, 'it has link-local addresses'],
    [{ subnet: '::/64', gateway: '' }, {}, 'it has the loopback address'],
    [{ subnet: '100::/64', gateway: '' }, {}, 'that lead nowhere'],
    [{ subnet: 'ff02::/64', gateway: '' }, {}, 'it has multicast addresses'],
    [{ subnet: 'fd00:89::/64', gateway: 'fd00:8a::1' }, {}, "doesn't contain this address"],
    [{ subnet: 'fd00:89::/64', gateway: 'fd00:89::' }, {}, 'of all routers'],
    [{ subnet: '', gateway: '10.1.2.3' }, {}, 'it is no IPv6 address'],
    [
      { subnet: '', gateway: '' },
      { options: { 'com.docker.network.driver.mtu': '1279' } },
      'the MTU 1279 is less than the 1280 bytes',
    ],
  ])('refuses IPv6 %j with %j', async (ipv6, more, message) => {
    await expect(create('db', { ipv6, ...more })).rejects.toThrow(message);
    expect(networks.list()).toEqual([]);
  });

  it('refuses an IPv6 subnet that overlaps another network’s', async () => {
    await create('db', { ipv6: { subnet: 'fd00:89::/48', gateway: '' } });
    const ipv6 = { subnet: 'fd00:89:0:7::/64', gateway: '' };
    await expect(create('web', { ipv6 })).rejects.toMatchObject({ code: 'network-forbidden' });
  });

  it('refuses an IPv6 address where one of IPv4 is needed', async () => {
    const refusal = {
      code: 'unsupported-option',
      message: expect.stringContaining('an IPv4 address is needed'),
    };
    await expect(create('db', subnet('fd00::/64'))).rejects.toMatchObject(refusal);
    const mixed = subnet('10.1.2.0/24', { gateway: 'fd00::1' });
    await expect(create('db', mixed)).rejects.toMatchObject(refusal);
  });
});

describe('finding a network', () => {
  it('finds a network by id, by name and by the beginning of its id', async () => {
    const network = await create('db');
    for (const reference of [network.id, 'db', network.id.slice(0, 12)]) {
      expect(networks.find(reference)).toEqual(network);
    }
    expect(networks.find('bridge')).toMatchObject({ driver: 'bridge' });
    expect(networks.find('none')).toMatchObject({ driver: 'null' });
  });

  it('prefers a network that is called as the id of another begins', async () => {
    const first = await create('first');
    const second = await create(first.id.slice(0, 12));
    expect(networks.find(first.id.slice(0, 12))).toEqual(second);
    expect(networks.find(first.id)).toEqual(first);
  });

  it('says that several ids begin alike', async () => {
    for (let index = 0; index < 17; index += 1) await create(`n${index}`);
    const digits = networks.list().map(({ id }) => id.slice(0, 1));
    const shared = digits.find((digit, index) => digits.indexOf(digit) !== index) ?? '';
    expect(() => networks.find(shared)).toThrow(/is ambiguous \(\d+ matches found based on ID/);
  });

  it.each(['gone', '', '0'.repeat(64)])('says that there is no network %j', (reference) => {
    expect(() => networks.find(reference)).toThrow(`network ${reference} not found`);
  });
});

describe('removing networks', () => {
  it('removes a network that no box is attached to', async () => {
    await create('db');
    networks.remove('db');
    expect(open().list()).toEqual([]);
    expect(events).toEqual(['create db', 'destroy db']);
  });

  it('refuses to remove a network while a box is attached to it', async () => {
    const { id } = await create('db');
    networks.attach(id, 'box');
    expect(() => networks.remove('db')).toThrow(
      'error while removing network: network db has active endpoints',
    );
    networks.detach(id, 'box');
    expect(networks.remove('db').id).toBe(id);
  });

  it('refuses to remove a predefined network', () => {
    expect(() => networks.remove('bridge')).toThrow('is a pre-defined network and cannot be');
  });

  it('prunes the networks that the test holds for and no box is attached to', async () => {
    const [used] = [await create('used'), await create('kept'), await create('old')];
    networks.attach(used.id, 'box');
    expect(networks.prune(({ name }) => name !== 'kept').map(({ name }) => name)).toEqual(['old']);
    expect(networks.list().map(({ name }) => name)).toEqual(['kept', 'used']);
  });
});

it('refuses to start boxes where the host cannot make networks, and says why', async () => {
  await expect(networks.expectAvailable()).resolves.toBeUndefined();
  availability = { available: false, reason: 'netavark is not installed' };
  await expect(networks.expectAvailable()).rejects.toMatchObject({
    code: 'network-unavailable',
    message: 'Cannot start a box in a user-defined network: netavark is not installed',
  });
});

it('does not drop a record that it cannot read', async () => {
  const { id } = await create('db');
  database.prepare('UPDATE networks SET record = ? WHERE id = ?').run('{}', id);
  expect(() => open()).toThrow(`Cannot read the record of network ${id}`);
});
