import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type Database, openDatabase } from '../state/database.ts';
import { readSubnet, type Subnet } from './ipv4.ts';
import { reachedBy, targetAddress } from './links.ts';
import { MAX_NETWORKS, Networks } from './networks.ts';
import { NETWORK_MIGRATIONS, NetworkRecords } from './records.ts';

let home: string;
let database: Database;
let networks: Networks;
let events: string[];
let ofHost: Subnet[];

const open = (): Networks =>
  new Networks({
    records: new NetworkRecords(database),
    userNetworks: async () => ({ available: true, reason: undefined }),
    hostSubnets: async () => ofHost,
    onEvent: (action: string) => events.push(action),
    now: () => '2026-01-02T03:04:05.000000006Z',
  });

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), 'a3s-networks-'));
  database = openDatabase(join(home, 'state.db'), NETWORK_MIGRATIONS);
  events = [];
  ofHost = [];
  networks = open();
});
afterEach(() => {
  database.close();
  rmSync(home, { recursive: true });
});

const asked = (name: string, subnet?: string) => ({
  ...{ name, internal: false, attachable: false, labels: {}, options: {} },
  addresses:
    subnet === undefined ? undefined : { subnet, gateway: '', ipRange: '', auxAddresses: {} },
});

describe('the network of links to a box', () => {
  it('makes one for all, which overlaps no other one, and is no network of a user', async () => {
    ofHost = [readSubnet('10.89.1.0/24')];
    await networks.create(asked('db'));
    const [one, again] = await Promise.all([networks.openLinks('t'), networks.openLinks('t')]);
    expect(again.id).toBe(one.id);
    expect(one).toMatchObject({ subnet: '10.89.2.0/24', gateway: '10.89.2.1', internal: true });
    expect(networks.linksTo('t')).toEqual(one);
    expect(networks.linksTo('u')).toBeUndefined();
    expect(networks.list().map(({ name }) => name)).toEqual(['db']);
    expect(networks.all()).toHaveLength(2);
    for (const reference of [one.id, one.name, one.id.slice(0, 12)]) {
      expect(() => networks.find(reference)).toThrow('not found');
      expect(() => networks.remove(reference)).toThrow('not found');
    }
    await expect(networks.create(asked('web', '10.89.2.0/24'))).rejects.toMatchObject({
      code: 'network-forbidden',
    });
    expect(networks.prune(() => true).map(({ name }) => name)).toEqual(['db']);
    expect(networks.get(one.id)).toEqual(one);
    expect(events).toEqual(['create', 'destroy']);
  });

  it('keeps one address for that box, and has others for those that link', async () => {
    const network = await networks.openLinks('t');
    const address = targetAddress(network);
    expect(networks.attach(network.id, 'a').address).toBe('10.89.0.128');
    expect(networks.attach(network.id, 't', { address }, 1)).toMatchObject({
      ...{ address: '10.89.0.2', prefixLength: 24, card: 1 },
    });
    networks.detach(network.id, 't');
    expect(networks.attach(network.id, 'b').address).toBe('10.89.0.129');
    expect(networks.attach(network.id, 't', { address }).address).toBe('10.89.0.2');
    expect(reachedBy(network, 'a')).toBe('10.89.0.2');
    expect(reachedBy(network, 't')).toBe('10.89.0.128/25');
    expect(events).toEqual([]);
  });

  it('removes it with the last box in it, and where a server left it without any', async () => {
    const network = await networks.openLinks('t');
    networks.attach(network.id, 'a');
    networks.attach(network.id, 't', { address: targetAddress(network) });
    networks.detach(network.id, 't');
    expect(networks.linksTo('t')).toEqual(network);
    networks.detach(network.id, 'a');
    networks.detach(network.id, 'a');
    expect(networks.all()).toEqual([]);
    await networks.openLinks('u');
    const kept = await networks.openLinks('v');
    networks.attach(kept.id, 'a');
    networks = open();
    networks.keepOnly(() => true);
    expect(networks.all()).toEqual([kept]);
    networks.keepOnly(() => false);
    expect(networks.all()).toEqual([]);
  });

  it('refuses more than there may be, which do not count as those of users', async () => {
    await networks.create(asked('db'));
    for (let at = 0; at < MAX_NETWORKS; at += 1) await networks.openLinks(`t${at}`);
    await expect(networks.openLinks('one too many')).rejects.toMatchObject({
      code: 'conflict',
      message: expect.stringContaining('64 boxes are linked to'),
    });
    await networks.create(asked('web'));
  });
});
