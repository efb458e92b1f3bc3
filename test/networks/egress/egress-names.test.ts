import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { question } from '../../../src/networks/egress/testing/dns-bytes.ts';
import { GUEST, type Lab, RESOLVER } from './lab.ts';
import {
  BROKEN,
  CDN,
  Client,
  canRun,
  FOREIGN_DNS,
  NO_NAME,
  OWN,
  openWorld,
  PRIVATE,
  UNREACHABLE,
} from './world.ts';

describe.runIf(await canRun())('a box whose reach names limit', () => {
  let lab: Lab;
  const client = new Client(() => lab);

  beforeAll(async () => {
    lab = await openWorld();
  });
  afterAll(() => lab?.close());

  describe('by rules for names', () => {
    beforeAll(async () => {
      await lab.limit([
        {
          rules: [
            'deny:bad.example.org',
            'allow:*.example.org',
            'allow:own.example.net:tcp:443',
            'allow:udp.example.net:udp:9000',
          ],
        },
      ]);
    });

    it('resolves permitted names, over UDP and over TCP', async () => {
      const found = { rcode: 0, addresses: [CDN], ttl: expect.any(Number) };
      expect(await lab.lookUp('good.example.org')).toEqual(found);
      expect(await lab.lookUp('a.b.example.org', { tcp: true })).toEqual(found);
    });

    it('resolves no other name, asks no server for it, and says by which rule', async () => {
      await lab.world('takeAsked');
      for (const name of ['data.evil.example', 'bad.example.org', 'example.org', 'db']) {
        expect(await lab.lookUp(name)).toEqual(NO_NAME);
      }
      expect(await lab.lookUp('evil.example', { tcp: true })).toEqual(NO_NAME);
      expect(await lab.world('takeAsked')).toEqual([]);
      await expect
        .poll(() => lab.refusals(), { timeout: 10_000 })
        .toEqual(
          expect.arrayContaining([
            expect.objectContaining({
              target: 'data.evil.example',
              rule: 'default:deny',
              of: 'box',
            }),
            expect.objectContaining({ target: 'bad.example.org', rule: 'deny:bad.example.org' }),
          ]),
        );
    });

    it('opens an address by its name alone, and to the name alone', async () => {
      expect(await client.tls(OWN, 'own.example.net')).toEqual(UNREACHABLE);
      await lab.lookUp('own.example.net');
      expect(await client.tls(OWN, 'own.example.net')).toBe(`${OWN} own.example.net`);
    });

    it('opens no sibling on the same address, by TLS', async () => {
      await lab.lookUp('good.example.org');
      expect(await client.tls(CDN, 'good.example.org')).toBe(`${CDN} good.example.org`);
      expect(await client.tls(CDN, 'sibling.example.net')).toEqual(BROKEN);
      await expect
        .poll(() => lab.refusals(), { timeout: 10_000 })
        .toContainEqual(expect.objectContaining({ target: 'sibling.example.net:443/tcp' }));
    });

    it('opens no sibling that a wildcard names and that was not resolved', async () => {
      await lab.lookUp('good.example.org');
      expect(await client.tls(CDN, 'never-asked.example.org')).toEqual(BROKEN);
    });

    it('refuses TLS that names no server', async () => {
      await lab.lookUp('good.example.org');
      expect(await client.tls(CDN, '')).toEqual(BROKEN);
    });

    it('refuses on port 443 what is no TLS', async () => {
      await lab.lookUp('good.example.org');
      const send = Buffer.from('SSH-2.0-x\r\n').toString('hex');
      expect(await client.tcp(CDN, 443, { send })).toEqual(BROKEN);
    });

    it('opens no sibling on the same address, by HTTP', async () => {
      await lab.lookUp('good.example.org');
      expect(await client.http(CDN, 'good.example.org')).toContain(`${CDN} good.example.org`);
      expect(await client.http(CDN, 'sibling.example.net')).toEqual(BROKEN);
      expect(await client.http(CDN, CDN)).toEqual(BROKEN);
    });

    it('carries one request a connection, whose end the server is asked for', async () => {
      await lab.lookUp('good.example.org');
      const second = 'GET / HTTP/1.1\r\nHost: sibling.example.net\r\n\r\n';
      const answer = await client.http(CDN, 'good.example.org', second);
      expect(answer).toContain('Connection: close');
      expect(answer).not.toContain('sibling.example.net');
    });

    it('opens the ports of a rule alone', async () => {
      await lab.lookUp('own.example.net');
      expect(await client.tcp(OWN, 5432)).toEqual(UNREACHABLE);
      expect(await client.http(OWN, 'own.example.net')).toEqual(UNREACHABLE);
    });

    it('opens all TCP ports by a rule without a port, and no UDP', async () => {
      await lab.lookUp('good.example.org');
      expect(await client.tcp(CDN, 5432)).toBe(GUEST);
      expect(await client.udp(CDN, 9000)).toEqual(UNREACHABLE);
    });

    it('opens no QUIC by a rule that says no protocol', async () => {
      await lab.lookUp('good.example.org');
      expect(await client.udp(CDN, 443)).toEqual(UNREACHABLE);
      await lab.name('udp.example.net', [{ owner: 'udp.example.net', a: CDN }]);
      await lab.lookUp('udp.example.net');
      expect(await client.udp(CDN, 9000)).toBe('3');
      expect(await client.udp(CDN, 443)).toEqual(UNREACHABLE);
    });

    it('opens no address that nobody has named', async () => {
      expect(await client.tcp('203.0.113.99', 443)).toEqual(UNREACHABLE);
      expect(await client.tcp(PRIVATE, 5432)).toEqual(UNREACHABLE);
      await expect
        .poll(() => lab.refusals(), { timeout: 10_000 })
        .toContainEqual(
          expect.objectContaining({ target: `${PRIVATE}:5432/tcp`, rule: 'default:deny' }),
        );
    });

    it('hides a name that leads to the loopback, to link-local or private addresses', async () => {
      for (const address of ['127.0.0.1', '169.254.169.254', PRIVATE, '10.0.2.2', '0.0.0.0']) {
        const name = `r${address.replaceAll('.', '-')}.example.org`;
        await lab.name(name, [
          { owner: name, a: CDN },
          { owner: name, a: address },
        ]);
        expect(await lab.lookUp(name)).toEqual(NO_NAME);
      }
      expect(await client.tcp(PRIVATE, 5432)).toEqual(UNREACHABLE);
    });

    it('hides a name whose address becomes private', async () => {
      await lab.name('flip.example.org', [{ owner: 'flip.example.org', a: CDN, ttl: 1 }]);
      expect(await lab.lookUp('flip.example.org')).toMatchObject({ addresses: [CDN], ttl: 1 });
      await lab.name('flip.example.org', [{ owner: 'flip.example.org', a: PRIVATE, ttl: 1 }]);
      await expect.poll(() => lab.lookUp('flip.example.org'), { timeout: 10_000 }).toEqual(NO_NAME);
    });

    it('decides an alias by the name that was asked for', async () => {
      await lab.name('www.example.org', [
        { owner: 'www.example.org', alias: 'edge.cdn.example.com', ttl: 300 },
        { owner: 'edge.cdn.example.com', a: CDN, ttl: 20 },
      ]);
      expect(await lab.lookUp('www.example.org')).toMatchObject({ addresses: [CDN], ttl: 20 });
      expect(await lab.lookUp('edge.cdn.example.com')).toEqual(NO_NAME);
      expect(await client.tls(CDN, 'www.example.org')).toBe(`${CDN} www.example.org`);
      expect(await client.tls(CDN, 'edge.cdn.example.com')).toEqual(BROKEN);
    });

    it('takes no address of a name that it has not asked for', async () => {
      await lab.name('mixed.example.org', [{ owner: 'other.example.com', a: OWN }]);
      expect(await lab.lookUp('mixed.example.org')).toEqual({ rcode: 0, addresses: [], ttl: 0 });
    });

    it('asks over TCP for an answer that is cut off', async () => {
      await lab.name('long.example.org', [{ owner: 'long.example.org', a: CDN }], {
        truncated: true,
      });
      expect(await lab.lookUp('long.example.org')).toMatchObject({ addresses: [CDN] });
    });

    it('keeps an address open for a short time at least, and closes it then', async () => {
      await lab.name('short.example.org', [
        { owner: 'short.example.org', a: '203.0.113.30', ttl: 0 },
      ]);
      expect(await lab.lookUp('short.example.org')).toMatchObject({
        addresses: ['203.0.113.30'],
        ttl: 0,
      });
      const sets = lab.nft('-j', 'list', 'set', 'inet', 'egress', 'p0r1');
      const element = /"val": 3405803806, "timeout": (\d+)/.exec(sets);
      expect(Number(element?.[1])).toBe(35);
      lab.nft('delete', 'element', 'inet', 'egress', 'p0r1', '{ 0xcb00711e }');
      expect(await client.tcp('203.0.113.30', 5432)).toEqual(UNREACHABLE);
    });

    it('lets a connection go on whose address is closed meanwhile', async () => {
      await lab.lookUp('good.example.org');
      expect(await client.tcp(CDN, 5432, { keep: 'a' })).toBe(GUEST);
      lab.nft('flush', 'set', 'inet', 'egress', 'p0r1');
      expect(await client.again('a')).toBe(GUEST);
      expect(await client.tcp(CDN, 5432)).toEqual(UNREACHABLE);
    });

    it('answers with no records of IPv6, of hidden names or of text', async () => {
      for (const type of [28, 65, 16]) {
        expect(await lab.lookUp('good.example.org', { type })).toEqual({
          rcode: 0,
          addresses: [],
          ttl: 0,
        });
      }
    });

    it('reaches no other DNS server', async () => {
      expect(await lab.lookUp('good.example.org', { server: FOREIGN_DNS })).toEqual(UNREACHABLE);
      expect(await lab.lookUp('good.example.org', { server: FOREIGN_DNS, tcp: true })).toEqual(
        UNREACHABLE,
      );
      expect(await client.tcp(RESOLVER, 853)).toEqual(UNREACHABLE);
    });

    it('reaches no DNS server at the address of a permitted name', async () => {
      await lab.name('dns.example.org', [{ owner: 'dns.example.org', a: FOREIGN_DNS }]);
      expect(await lab.lookUp('dns.example.org')).toMatchObject({ addresses: [FOREIGN_DNS] });
      expect(await lab.lookUp('good.example.org', { server: FOREIGN_DNS, tcp: true })).toEqual(
        UNREACHABLE,
      );
    });

    it('reaches a permitted host whatever it asks there, DNS over HTTPS too', async () => {
      // The documented limit: what a permitted server does with a request is not seen.
      await lab.name('doh.example.org', [{ owner: 'doh.example.org', a: OWN }]);
      await lab.lookUp('doh.example.org');
      expect(await client.tls(OWN, 'doh.example.org')).toBe(`${OWN} doh.example.org`);
    });

    it('answers after a question from port 0, to which nothing can be sent', async () => {
      const asks = question('good.example.org');
      const head = Buffer.alloc(8);
      head.writeUInt16BE(53, 2);
      head.writeUInt16BE(head.length + asks.length, 4);
      expect(await lab.raw(RESOLVER, 17, Buffer.concat([head, asks]))).toBe('silent');
      expect(await lab.lookUp('good.example.org')).toMatchObject({ addresses: [CDN] });
    });

    it('survives messages that are none', async () => {
      for (const message of [
        '',
        '00',
        'ff'.repeat(512),
        `${'00'.repeat(4)}ffff${'00'.repeat(100)}`,
      ]) {
        await lab.guest('dns', { server: RESOLVER, message });
      }
      await lab.guest('dns', { server: RESOLVER, message: '00'.repeat(4000), tcp: true });
      expect(await lab.lookUp('good.example.org')).toMatchObject({ addresses: [CDN] });
    });
  });
});
