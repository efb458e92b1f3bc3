import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { INSIDE6 } from '../../../src/networks/host/routed6.ts';
import { GUEST6, type Lab, NETWORK6 } from './lab.ts';
import {
  BROKEN,
  CDN,
  CDN6,
  Client,
  canRun,
  FOREIGN_DNS6,
  METADATA6,
  NO_NAME,
  OWN6,
  openWorld,
  PRIVATE6,
  UNREACHABLE,
} from './world.ts';

const AAAA = 28;

describe.runIf(await canRun())('a limited box with IPv6', () => {
  let lab: Lab;
  const client = new Client(() => lab);
  const lookUp = (name: string, more = {}) => lab.lookUp(name, { type: AAAA, ...more });

  beforeAll(async () => {
    lab = await openWorld({ ipv6: true });
  });
  afterAll(() => lab?.close());

  describe('by rules for names', () => {
    beforeAll(() =>
      lab.limit([
        {
          rules: ['deny:bad.example.org', 'allow:*.example.org', 'allow:own.example.net:tcp:443'],
        },
      ]),
    );

    it('resolves permitted names to IPv6, over UDP and over TCP', async () => {
      const found = { rcode: 0, addresses: [CDN6], ttl: expect.any(Number) };
      expect(await lookUp('good.example.org')).toEqual(found);
      expect(await lookUp('a.b.example.org', { tcp: true })).toEqual(found);
      expect(await lab.lookUp('good.example.org')).toMatchObject({ addresses: [CDN] });
      expect(await lookUp('bad.example.org')).toEqual(NO_NAME);
      expect(await lookUp('evil.example')).toEqual(NO_NAME);
    });

    it('opens an IPv6 address by its name alone, and to the name alone', async () => {
      expect(await client.tls(OWN6, 'own.example.net')).toEqual(UNREACHABLE);
      // Its IPv4 address opens nothing of IPv6.
      await lab.lookUp('own.example.net');
      expect(await client.tls(OWN6, 'own.example.net')).toEqual(UNREACHABLE);
      await lookUp('own.example.net');
      expect(await client.tls(OWN6, 'own.example.net')).toMatch(/ own\.example\.net$/);
      expect(await client.tcp(OWN6, 5432)).toEqual(UNREACHABLE);
    });

    it('opens no sibling on the same IPv6 address, by TLS and by HTTP', async () => {
      await lookUp('good.example.org');
      expect(await client.tls(CDN6, 'good.example.org')).toMatch(/ good\.example\.org$/);
      expect(await client.tls(CDN6, 'sibling.example.net')).toEqual(BROKEN);
      expect(await client.tls(CDN6, '')).toEqual(BROKEN);
      expect(await client.http(CDN6, 'good.example.org')).toContain(' good.example.org');
      expect(await client.http(CDN6, 'sibling.example.net')).toEqual(BROKEN);
      expect(await client.http(CDN6, `[${CDN6}]`)).toEqual(BROKEN);
      await expect
        .poll(() => lab.refusals(), { timeout: 10_000 })
        .toContainEqual(expect.objectContaining({ target: 'sibling.example.net:443/tcp' }));
    });

    it('opens no QUIC by a rule that says no protocol', async () => {
      await lookUp('good.example.org');
      expect(await client.udp(CDN6, 443)).toEqual(UNREACHABLE);
      expect(await client.tcp(CDN6, 5432)).toBe(GUEST6);
    });

    it('hides a name that leads to an IPv6 address that is not public', async () => {
      for (const [at, address] of [
        ...['::1', '::', '::ffff:7f00:1', '::a00:1', INSIDE6, 'fe80::1', 'fec0::1', 'ff02::1'],
        ...[PRIVATE6, METADATA6, 'fd00:c1::a9fe:a9fe', '64:ff9b::a9fe:a9fe', '64:ff9b::a00:1'],
        ...['2002:a00:1::1', '2001:0:a00:1::1', 'fd00:e9::1'],
      ].entries()) {
        const name = `r${at}.example.org`;
        await lab.name(name, [
          { owner: name, a: CDN6 },
          { owner: name, a: address },
        ]);
        expect([address, await lookUp(name)]).toEqual([address, NO_NAME]);
      }
      expect(await client.tcp(PRIVATE6, 5432)).toEqual(UNREACHABLE);
      expect(await client.tcp(METADATA6, 80)).toEqual(UNREACHABLE);
    });

    it('hides a name whose IPv6 address becomes private', async () => {
      const flip = { owner: 'flip.example.org', ttl: 1 };
      await lab.name(flip.owner, [{ ...flip, a: CDN6 }]);
      expect(await lookUp(flip.owner)).toMatchObject({ addresses: [CDN6], ttl: 1 });
      await lab.name(flip.owner, [{ ...flip, a: PRIVATE6 }]);
      await expect.poll(() => lookUp(flip.owner), { timeout: 10_000 }).toEqual(NO_NAME);
    });

    it('decides an alias by the name that was asked for, and keeps its address open for a time', async () => {
      await lab.name('www.example.org', [
        { owner: 'www.example.org', alias: 'edge.cdn.example.com', ttl: 300 },
        { owner: 'edge.cdn.example.com', a: '2001:db8:cd::30', ttl: 0 },
      ]);
      expect(await lookUp('www.example.org')).toMatchObject({
        addresses: ['2001:db8:cd::30'],
        ttl: 0,
      });
      expect(await lookUp('edge.cdn.example.com')).toEqual(NO_NAME);
      const set = lab.nft('-j', 'list', 'set', 'inet', 'egress', 'p0r1_6');
      expect(set.match(/"timeout": 35/g)).not.toBeNull();
    });

    it('lets a connection go on whose IPv6 address is closed meanwhile', async () => {
      await lookUp('good.example.org');
      expect(await client.tcp(CDN6, 5432, { keep: 'six' })).toBe(GUEST6);
      lab.nft('flush', 'set', 'inet', 'egress', 'p0r1_6');
      expect(await client.again('six')).toBe(GUEST6);
      expect(await client.tcp(CDN6, 5432)).toEqual(UNREACHABLE);
    });

    it('does not reach the DNS server of its network at the IPv6 address of that', async () => {
      for (const tcp of [false, true]) {
        const answer = await lookUp('good.example.org', { server: NETWORK6.gateway, tcp });
        expect(answer).toEqual(UNREACHABLE);
      }
    });

    it('reaches no other DNS server over IPv6', async () => {
      await lab.name('dns.example.org', [{ owner: 'dns.example.org', a: FOREIGN_DNS6 }]);
      expect(await lookUp('good.example.org', { server: FOREIGN_DNS6 })).toEqual(UNREACHABLE);
      await lookUp('dns.example.org');
      for (const tcp of [false, true]) {
        const answer = await lookUp('good.example.org', { server: FOREIGN_DNS6, tcp });
        expect(answer).toEqual(UNREACHABLE);
      }
      expect(await client.tcp(FOREIGN_DNS6, 853)).toEqual(UNREACHABLE);
    });
  });

  describe('by rules for addresses', () => {
    it('takes the first rule that matches, of the family that it is about', async () => {
      await lab.limit([
        { rules: [`deny:[${CDN6}]`, 'allow:[2001:db8:cd::/48]:tcp:5432', 'allow:0.0.0.0/0'] },
      ]);
      expect(await client.tcp(OWN6, 5432)).toBe(GUEST6);
      expect(await client.tcp(CDN6, 5432)).toEqual(UNREACHABLE);
      expect(await client.tcp(OWN6, 443)).toEqual(UNREACHABLE);
      expect(await client.udp(OWN6, 9000)).toEqual(UNREACHABLE);
      expect(await lab.refusals()).toContainEqual(
        expect.objectContaining({ target: `[${CDN6}]:5432/tcp`, rule: `deny:[${CDN6}/128]` }),
      );
    });

    it('judges datagrams of IPv6 in fragments as a whole', async () => {
      await lab.limit([{ rules: [`allow:[${OWN6}]:udp:9000`] }]);
      expect(await client.udp(OWN6, 9000, 6000)).toBe('6000');
      expect(await client.udp(CDN6, 9000, 6000)).toEqual(UNREACHABLE);
      expect(await client.udp(OWN6, 443, 6000)).toEqual(UNREACHABLE);
    });

    it('opens no metadata service and no loopback, whatever a rule allows', async () => {
      await lab.limit([{ rules: ['allow:[::/0]'] }]);
      expect(await client.tcp(PRIVATE6, 5432)).toBe(GUEST6);
      expect(await client.tcp(METADATA6, 80)).toEqual(UNREACHABLE);
      expect(await client.tcp(INSIDE6, 5443)).toEqual(UNREACHABLE);
      expect(await client.tcp('64:ff9b::a9fe:a9fe', 80)).toEqual(UNREACHABLE);
    });

    it('pings what a rule for ICMP allows', async () => {
      await lab.limit([{ rules: [`allow:[${OWN6}]:icmp`] }]);
      const [ICMPV6, echo] = [58, Buffer.from('8000000000000000', 'hex')];
      expect(await lab.raw(OWN6, ICMPV6, echo)).toBe('answered');
      expect(await lab.raw(CDN6, ICMPV6, echo)).toBe('silent');
      expect(await lab.refusals()).toContainEqual(
        expect.objectContaining({ target: `[${CDN6}]/icmp` }),
      );
    });
  });

  it('reaches public addresses by default:public, and the host’s own networks not', async () => {
    await lab.limit([{ default: 'public', rules: [] }], { ownSubnets: [`${OWN6}/128`] });
    expect(await client.tcp(CDN6, 5432)).toBe(GUEST6);
    expect(await client.udp(CDN6, 443)).toBe('3');
    for (const address of [OWN6, PRIVATE6, METADATA6]) {
      expect(await client.tcp(address, 5432)).toEqual(UNREACHABLE);
    }
    expect(await lookUp('good.example.org', { server: FOREIGN_DNS6 })).toEqual(UNREACHABLE);
  });
});
