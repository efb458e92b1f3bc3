import { parseNetworkPolicy } from '@a3s-box/policies/network-policy';
import { describe, expect, it } from 'vitest';
import { type Address, parseAnyAddress } from '../../address.ts';
import { readSubnet } from '../../ipv4.ts';
import { readSubnet6 } from '../../ipv6.ts';
import { question, readReply } from '../testing/dns-bytes.ts';
import { type Answer, TYPE } from './dns-message.ts';
import { NameProxy } from './name-proxy.ts';
import { Pins } from './pins.ts';
import type { Refused } from './refusals.ts';

function proxyOf(
  rules: string[],
  answers: Record<string, Partial<Answer> & { to?: string[] }>,
  more = {},
) {
  const asked: string[] = [];
  const refused: Refused[] = [];
  const failed: string[] = [];
  const pinned: [string, Address[], number][] = [];
  let time = 100;
  let full = false;
  const proxy = new NameProxy({
    policies: [parseNetworkPolicy({ rules })],
    ...{ namesBoxes: false, boxSubnets: [], ipv6: false, own: [readSubnet('198.51.100.0/24')] },
    refuse: (each) => refused.push(each),
    fail: (what, error) => failed.push(`${what}: ${error}`),
    now: () => time,
    pins: {
      add: async (name, addresses, ttl) => {
        if (full) throw new Error('full');
        pinned.push([name, [...addresses], ttl]);
      },
      addressesOf: (name) => pinned.flatMap(([of, addresses]) => (of === name ? addresses : [])),
    },
    resolve: async (name, type) => {
      asked.push(name);
      const { to = [], ...answer } = answers[name] ?? { rcode: 3 };
      const kind = type === TYPE.A ? 'number' : 'bigint';
      const addresses = to.map((each) => parseAnyAddress(each) ?? 0);
      const found = addresses.filter((each) => typeof each === kind);
      return { rcode: 0, truncated: false, ttl: 60, addresses: found, ...answer };
    },
    ...more,
  });
  const ask = async (name: string, type = 1) => {
    const answer = await proxy.answer(question(name, { type }));
    return answer === undefined ? undefined : readReply(answer);
  };
  return {
    ...{ proxy, ask, asked, refused, failed, pinned },
    pass: (seconds: number) => {
      time += seconds;
    },
    fill: () => {
      full = true;
    },
  };
}

describe('the proxy for names', () => {
  it('opens the addresses of a name again that was forgotten for others', async () => {
    const policies = [parseNetworkPolicy({ rules: ['allow:*.example'] })];
    const pins = new Pins(
      policies,
      async () => undefined,
      () => 100,
    );
    const names = Array.from({ length: 4096 }, (_, number) => `n${number}.example`);
    const answers = Object.fromEntries(
      ['first.example', ...names].map((name) => [name, { to: ['203.0.113.1'] }]),
    );
    const { ask } = proxyOf(['allow:*.example'], answers, { pins });
    await ask('first.example');
    for (const name of names) await ask(name);
    expect(pins.addressesOf('first.example')).toEqual([]);
    expect(await ask('first.example')).toMatchObject({ addresses: ['203.0.113.1'] });
    expect(pins.addressesOf('first.example')).toEqual([0xcb007101]);
  });

  const NO_NAME = { rcode: 3, addresses: [], ttl: 0 };
  const EMPTY = { rcode: 0, addresses: [], ttl: 0 };

  it('answers with IPv6 addresses where the box has IPv6, and opens them as those of IPv4', async () => {
    const answers = {
      'a.example': { to: ['203.0.113.1', '2001:db8::1'] },
      'ula.example': { to: ['203.0.113.1', 'fd00:77::1'] },
      'nat.example': { to: ['64:ff9b::a9fe:a9fe'] },
      'mapped.example': { to: ['::1'] },
    };
    const rules = ['allow:*.example', 'allow:a.example'];
    expect(await proxyOf(rules, answers).ask('a.example', TYPE.AAAA)).toEqual(EMPTY);
    const { ask, pinned, asked } = proxyOf(rules, answers, { ipv6: true });
    expect(await ask('a.example', TYPE.AAAA)).toMatchObject({ addresses: ['2001:db8::1'] });
    expect(await ask('a.example')).toMatchObject({ addresses: ['203.0.113.1'] });
    expect(pinned).toEqual([
      ['a.example', [0x2001_0db8_0000_0000_0000_0000_0000_0001n], 60],
      ['a.example', [0xcb007101], 60],
    ]);
    expect(asked).toEqual(['a.example', 'a.example']);
    for (const name of ['ula.example', 'nat.example', 'mapped.example']) {
      expect(await ask(name, TYPE.AAAA)).toEqual(NO_NAME);
    }
    const boxes = { namesBoxes: true, boxSubnets: [readSubnet6('2001:db8:9::/64')], ipv6: true };
    const near = { 'db.dns.podman': { to: ['2001:db8:9::5', '2001:db8::5', '10.0.0.5'] } };
    expect(await proxyOf([], near, boxes).ask('db', TYPE.AAAA)).toMatchObject({
      addresses: ['2001:db8:9::5'],
    });
  });

  it('answers for a permitted name once its addresses are open', async () => {
    const { ask, pinned } = proxyOf(['allow:a.example'], { 'a.example': { to: ['203.0.113.1'] } });
    expect(await ask('A.Example')).toEqual({ rcode: 0, addresses: ['203.0.113.1'], ttl: 60 });
    expect(pinned).toEqual([['a.example', [0xcb007101], 60]]);
  });

  it('asks nobody for a name that is not permitted', async () => {
    const { ask, asked, refused } = proxyOf(['allow:*.a.example'], {});
    expect(await ask('secret-data.evil.example')).toEqual(NO_NAME);
    expect(await ask('a.example', 16)).toEqual(NO_NAME);
    expect(asked).toEqual([]);
    expect(refused).toEqual([
      { target: 'secret-data.evil.example', policy: 0, by: 'default' },
      { target: 'a.example', policy: 0, by: 'default' },
    ]);
  });

  it.each(['127.0.0.1', '169.254.169.254', '10.0.0.1', '192.168.1.1', '0.0.0.0', '100.64.0.1'])(
    'says that a name has no address where it leads to %s',
    async (address) => {
      const answers = { 'a.example': { to: ['203.0.113.1', address] } };
      const { ask, pinned, refused } = proxyOf(['allow:a.example'], answers);
      expect(await ask('a.example')).toEqual(NO_NAME);
      expect(pinned).toEqual([]);
      expect(refused).toHaveLength(1);
    },
  );

  it('says that a name has no address where it leads to a network of the host', async () => {
    const answers = { 'a.example': { to: ['198.51.100.7'] } };
    const { ask, pinned, refused } = proxyOf(['allow:a.example'], answers);
    expect(await ask('a.example')).toEqual(NO_NAME);
    expect([pinned, refused.length]).toEqual([[], 1]);
    const open = proxyOf(['allow:a.example', 'allow:198.51.100.7:tcp:443'], answers);
    expect(await open.ask('a.example')).toMatchObject({ addresses: ['198.51.100.7'] });
  });

  it('answers with no records but addresses, and none of IPv6 or of keys that hide names', async () => {
    const { ask, asked } = proxyOf(['allow:a.example'], {});
    for (const type of [28, 65, 64, 16, 15, 33, 255])
      expect(await ask('a.example', type)).toEqual(EMPTY);
    expect(asked).toEqual([]);
  });

  it('remembers an answer for its time, and asks again afterwards', async () => {
    const answers = { 'a.example': { to: ['203.0.113.1'], ttl: 10 } };
    const { ask, asked, pass } = proxyOf(['allow:a.example'], answers);
    await Promise.all([ask('a.example'), ask('a.example')]);
    pass(4);
    expect((await ask('a.example'))?.ttl).toBe(6);
    expect(asked).toHaveLength(1);
    pass(6);
    await ask('a.example');
    expect(asked).toHaveLength(2);
  });

  it('opens the addresses of a permitted name again, as a question does', async () => {
    const to = ['203.0.113.1'];
    const answers = { 'a.example': { to }, 'b.example': { to } };
    const { proxy, pinned, pass, asked, fill } = proxyOf(['allow:a.example'], answers);
    for (const name of ['a.example', 'b.example']) await proxy.renew(name);
    expect(asked).toEqual(['a.example']);
    pass(60);
    await proxy.renew('a.example');
    expect(pinned).toHaveLength(2);
    pass(60);
    fill();
    await proxy.renew('a.example');
  });

  it('bounds the time of an answer', async () => {
    const answers = { 'a.example': { to: ['203.0.113.1'], ttl: 999_999 } };
    expect((await proxyOf(['allow:a.example'], answers).ask('a.example'))?.ttl).toBe(3600);
  });

  it('gives no address where the way to it cannot be opened, and passes failures on', async () => {
    const answers = { 'a.example': { to: ['203.0.113.1'] }, 'b.example': { rcode: 5 } };
    const { ask, fill, failed } = proxyOf(['allow:*.example', 'allow:a.example'], answers);
    fill();
    expect(await ask('a.example')).toEqual({ rcode: 2, addresses: [], ttl: 0 });
    expect(failed).toEqual(['cannot resolve a.example: Error: full']);
    expect(await ask('b.example')).toMatchObject({ rcode: 2 });
    expect(await ask('c.example')).toEqual(NO_NAME);
  });

  it('resolves names of boxes to private addresses alone, and opens nothing for them', async () => {
    const answers = { 'db.dns.podman': { to: ['10.89.1.3', '203.0.113.1'], ttl: 600 } };
    const { ask, pinned, refused } = proxyOf([], answers, { namesBoxes: true });
    expect(await ask('db')).toEqual({ rcode: 0, addresses: ['10.89.1.3'], ttl: 5 });
    expect(await ask('db', 28)).toEqual(EMPTY);
    expect([pinned, refused]).toEqual([[], []]);
    expect(await proxyOf([], answers).ask('db')).toEqual(NO_NAME);
  });

  it('asks no server beside that of the network for a name without a dot that is no box', async () => {
    const answers = { intranet: { to: ['203.0.113.1'] } };
    const more = { namesBoxes: true };
    const { ask, asked } = proxyOf(['allow:*.example'], answers, more);
    // Below this domain that server answers for boxes alone.
    expect(await ask('intranet')).toEqual(NO_NAME);
    expect(asked).toEqual(['intranet.dns.podman']);
    const allowed = proxyOf(['allow:intranet'], answers, more);
    expect(await allowed.ask('intranet')).toMatchObject({ addresses: ['203.0.113.1'] });
    expect(allowed.pinned).toEqual([['intranet', [0xcb007101], 60]]);
  });

  it('resolves names of boxes in a network whose addresses look public', async () => {
    const answers = { 'db.dns.podman': { to: ['203.0.113.1', '198.51.100.1'] } };
    const more = { namesBoxes: true, boxSubnets: [readSubnet('203.0.113.0/24')] };
    const { ask, pinned } = proxyOf([], answers, more);
    expect((await ask('db'))?.addresses).toEqual(['203.0.113.1']);
    expect(pinned).toEqual([]);
  });

  it('refuses what is of no internet, and what is no host name', async () => {
    const { proxy, ask } = proxyOf(['allow:*.example'], {});
    const chaos = question('a.example');
    chaos.writeUInt16BE(3, chaos.length - 2);
    expect(readReply((await proxy.answer(chaos)) ?? Buffer.alloc(12)).rcode).toBe(5);
    expect(await ask('a b.example')).toEqual(NO_NAME);
  });
});
