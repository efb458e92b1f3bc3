import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../state/database.ts';
import type { NetworkRecord } from './network.ts';
import { Networks } from './networks.ts';
import { NETWORK_MIGRATIONS, NetworkRecords } from './records.ts';
import type { SubnetRequest } from './request.ts';

let home: string;
let database: Database;
let networks: Networks;
let events: string[];

function open(): Networks {
  return new Networks({
    records: new NetworkRecords(database),
    userNetworks: async () => ({ available: true, reason: undefined }),
    hostSubnets: async () => [],
    onEvent: (action: string, { name }: { name: string }, box = '') =>
      events.push(`${action} ${name} ${box}`.trim()),
    now: () => '2026-01-02T03:04:05.000000006Z',
  });
}

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'a3s-endpoints-'));
  database = openDatabase(join(home, 'state.db'), NETWORK_MIGRATIONS);
  events = [];
  networks = open();
});
afterEach(() => {
  database.close();
  rmSync(home, { recursive: true });
});

async function create(name: string, asked?: Partial<SubnetRequest>): Promise<NetworkRecord> {
  return await networks.create({
    ...{ name, internal: false, attachable: false, labels: {}, options: {} },
    addresses:
      asked === undefined
        ? undefined
        : { subnet: '10.1.2.0/24', gateway: '', ipRange: '', auxAddresses: {}, ...asked },
  });
}

describe('attaching boxes to a network with IPv6', () => {
  const with6 = (name: string, subnet: string) =>
    networks.create({
      ...{ name, internal: false, attachable: false, labels: {}, options: {} },
      ...{ addresses: undefined, ipv6: { subnet, gateway: '' } },
    });

  it('gives a box the lowest free address of both families, which the next server knows', async () => {
    const { id } = await with6('db', 'fd00:89::/64');
    const first = networks.attach(id, 'one');
    expect(first).toMatchObject({
      address: '10.89.0.2',
      ipv6: { address: 'fd00:89::2', prefixLength: 64, gateway: 'fd00:89::1' },
    });
    expect(networks.attach(id, 'two').ipv6?.address).toBe('fd00:89::3');
    networks.detach(id, 'one');
    expect(networks.attach(id, 'three', { address6: 'FD00:89::00ff' }).ipv6?.address).toBe(
      'fd00:89::ff',
    );
    expect(networks.attach(id, 'four').ipv6?.address).toBe('fd00:89::2');
    expect(open().endpointsOf(id)).toEqual(networks.endpointsOf(id));
  });

  it('refuses addresses that are in use, or not of the subnet', async () => {
    const { id } = await with6('db', 'fd00:89::/64');
    for (const address6 of ['fd00:89::', 'fd00:89::1']) {
      expect(() => networks.attach(id, 'one', { address6 })).toThrow('Address already in use');
    }
    expect(() => networks.attach(id, 'one', { address6: 'fd00:8a::5' })).toThrow(
      'no configured subnet contains IP address fd00:8a::5',
    );
    expect(() => networks.attach(id, 'one', { address6: '10.89.0.9' })).toThrow(
      'invalid IPv6 address',
    );
  });

  it('refuses a chosen address in a network that has none to choose', async () => {
    const own = await with6('own', '');
    expect(() => networks.attach(own.id, 'one', { address6: 'fd00::5' })).toThrow(
      'user specified IP address is supported only',
    );
    const { id } = await create('four');
    expect(() => networks.attach(id, 'one', { address6: 'fd00::5' })).toThrow('has no IPv6');
  });

  it('refuses a box where every address is taken', async () => {
    const { id } = await with6('db', 'fd00:89::/126');
    for (const box of ['one', 'two']) networks.attach(id, box);
    expect(() => networks.attach(id, 'three')).toThrow('no available IPv6 addresses');
  });
});

describe('attaching boxes', () => {
  it('gives a box the lowest free address, and Docker’s hardware address of it', async () => {
    const { id, gateway } = await create('db');
    expect(networks.attach(id, 'one')).toEqual({
      ...{ id: expect.stringMatching(/^[0-9a-f]{64}$/), network: id, box: 'one' },
      ...{ address: '10.89.0.2', prefixLength: 24, gateway, card: 0, mac: '02:42:0a:59:00:02' },
    });
    expect(networks.attach(id, 'two').address).toBe('10.89.0.3');
    networks.detach(id, 'one');
    expect(networks.attach(id, 'three').address).toBe('10.89.0.2');
    expect(events).toEqual([
      ...['create db', 'connect db one', 'connect db two', 'disconnect db one'],
      'connect db three',
    ]);
  });

  it('keeps the place of a box that is attached twice, also after a restart of the server', async () => {
    const { id } = await create('db');
    const endpoint = networks.attach(id, 'one');
    expect(networks.attach(id, 'one')).toEqual(endpoint);
    const next = open();
    expect(next.attach(id, 'one')).toEqual(endpoint);
    expect(next.endpointsOfBox('one')).toEqual([endpoint]);
    expect(next.attach(id, 'two').address).toBe('10.89.0.3');
  });

  it('takes the places of boxes that have not outlived an earlier server', async () => {
    const { id } = await create('db');
    networks.attach(id, 'gone');
    networks.attach(id, 'runs');
    const next = open();
    next.keepOnly(({ box }) => box === 'runs');
    expect(next.endpointsOf(id).map(({ box }) => box)).toEqual(['runs']);
    expect(
      open()
        .endpointsOf(id)
        .map(({ box }) => box),
    ).toEqual(['runs']);
  });

  it('says nothing of a box that is detached twice', async () => {
    const { id } = await create('db');
    networks.detach(id, 'one');
    networks.detach('gone', 'one');
    expect(events).toEqual(['create db']);
  });

  it('refuses to attach a box to a network that is gone', async () => {
    const { id } = await create('db');
    networks.remove(id);
    expect(() => networks.attach(id, 'one')).toThrow(`network ${id} not found`);
  });

  it('gives addresses of the range alone, and neither gateway nor auxiliary addresses', async () => {
    const { id } = await create('db', {
      ...{ ipRange: '10.1.2.8/29', gateway: '10.1.2.8' },
      auxAddresses: { printer: '10.1.2.10' },
    });
    const addresses = Array.from({ length: 6 }, (_, at) => networks.attach(id, `${at}`).address);
    expect(addresses).toEqual([9, 11, 12, 13, 14, 15].map((last) => `10.1.2.${last}`));
    expect(() => networks.attach(id, 'more')).toThrow('no available addresses on this pool');
  });

  it('gives 253 boxes addresses of a subnet of 256, and refuses the others of 300', async () => {
    const { id } = await create('db');
    const results = Array.from({ length: 300 }, (_, index) => {
      try {
        return networks.attach(id, `box${index}`).address;
      } catch (error) {
        return (error as { code: string }).code;
      }
    });
    expect(new Set(results.slice(0, 253)).size).toBe(253);
    expect(results.slice(0, 253)).not.toContain('conflict');
    expect(new Set(results.slice(253))).toEqual(new Set(['conflict']));
    networks.detach(id, 'box7');
    expect(networks.attach(id, 'late').address).toBe(results[7]);
  });

  it('never gives two boxes one address, whatever comes and goes', async () => {
    const { id } = await create('db', { subnet: '10.1.2.0/29' });
    const box = fc.integer({ min: 0, max: 7 }).map(String);
    const step = fc.oneof(
      fc.record({ verb: fc.constant('attach' as const), box }),
      fc.record({
        ...{ verb: fc.constant('ask' as const), box },
        address: fc.integer({ min: 0, max: 7 }).map((last) => `10.1.2.${last}`),
      }),
      fc.record({ verb: fc.constant('detach' as const), box }),
      fc.record({ verb: fc.constant('restart' as const), box }),
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        networks = open();
        networks.keepOnly(() => false);
        for (const each of steps) {
          if (each.verb === 'detach') networks.detach(id, each.box);
          else if (each.verb === 'restart') networks = open();
          else attachOrRefuse(id, each.box, each.verb === 'ask' ? each.address : undefined);
          const endpoints = networks.endpointsOf(id);
          for (const key of ['address', 'mac', 'box', 'id'] as const) {
            expect(new Set(endpoints.map((endpoint) => endpoint[key])).size).toBe(endpoints.length);
          }
          for (const { address } of endpoints) expect(address).toMatch(/^10\.1\.2\.[2-6]$/);
        }
      }),
      { numRuns: 40 },
    );
  });

  function attachOrRefuse(id: string, box: string, address: string | undefined): void {
    try {
      networks.attach(id, box, { address });
    } catch (error) {
      expect(error).toMatchObject({ code: expect.stringMatching(/^(conflict|address-in-use)$/) });
    }
  }
});

describe('a box that asks for an address', () => {
  it('gives a box the address and the hardware address that it asks for', async () => {
    const { id } = await create('db', {});
    const wanted = { address: '10.1.2.77', mac: '02:00:00:00:00:77' };
    expect(networks.attach(id, 'one', wanted)).toMatchObject(wanted);
  });

  it.each(['10.1.2.0', '10.1.2.1', '10.1.2.255', '10.1.2.9'])(
    'refuses the address %s, which is not free',
    async (address) => {
      const { id } = await create('db', { auxAddresses: { printer: '10.1.2.9' } });
      expect(() => networks.attach(id, 'one', { address })).toThrow('Address already in use');
      expect(networks.endpointsOf(id)).toEqual([]);
    },
  );

  it('refuses the address and the hardware address of another box', async () => {
    const { id } = await create('db', {});
    const wanted = { address: '10.1.2.77', mac: '02:00:00:00:00:77' };
    networks.attach(id, 'one', wanted);
    const { address, mac } = wanted;
    for (const each of [{ address }, { mac }]) {
      expect(() => networks.attach(id, 'two', each)).toThrow('Address already in use');
    }
  });

  it('leaves the address out whose hardware address another box has asked for', async () => {
    const { id } = await create('db', {});
    networks.attach(id, 'one', { address: '10.1.2.9', mac: '02:42:0a:01:02:02' });
    expect(networks.attach(id, 'two').address).toBe('10.1.2.3');
  });

  it.each([
    ['10.1.3.1', 'no configured subnet contains IP address 10.1.3.1'],
    ['x', 'invalid IPv4 address: x'],
    ['fd00::1', 'an IPv4 address is needed'],
  ])('refuses the address %s', async (address, message) => {
    const { id } = await create('db', {});
    expect(() => networks.attach(id, 'one', { address })).toThrow(message);
  });

  it('refuses an address of a subnet that the server chose', async () => {
    const { id } = await create('db');
    expect(() => networks.attach(id, 'one', { address: '10.89.0.9' })).toThrow(
      'user specified IP address is supported only when connecting to networks with user configured subnets',
    );
  });
});
