import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GUEST, type Lab, UID } from './lab.ts';
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

describe.runIf(await canRun())('a box whose reach is limited', () => {
  let lab: Lab;
  const client = new Client(() => lab);

  beforeAll(async () => {
    lab = await openWorld();
  });
  afterAll(() => lab?.close());

  describe('by rules for addresses', () => {
    it('takes the first rule that matches', async () => {
      await lab.limit([
        { rules: [`deny:${CDN}`, 'allow:203.0.113.0/24:tcp:5432', 'allow:*.example.org'] },
      ]);
      expect(await client.tcp(OWN, 5432)).toBe(GUEST);
      expect(await client.tcp(CDN, 5432)).toEqual(UNREACHABLE);
      expect(await client.tcp(OWN, 443)).toEqual(UNREACHABLE);
      await lab.lookUp('good.example.org');
      expect(await client.tls(CDN, 'good.example.org')).toEqual(expect.not.stringContaining(CDN));
      const refused = expect.objectContaining({
        target: `${CDN}:5432/tcp`,
        rule: `deny:${CDN}/32`,
      });
      expect(await lab.refusals()).toContainEqual(refused);
    });

    it('does not look at names where an address is allowed before them', async () => {
      await lab.limit([{ rules: [`allow:${CDN}:tcp:443`, 'allow:*.example.org'] }]);
      await lab.lookUp('good.example.org');
      expect(await client.tls(CDN, 'sibling.example.net')).toBe(`${CDN} sibling.example.net`);
      expect(await client.http(CDN, 'sibling.example.net')).toEqual(BROKEN);
    });

    it('checks names of a connection that two rules open in part', async () => {
      await lab.limit([{ rules: ['deny:good.example.org:tcp:80', 'allow:good.example.org'] }]);
      await lab.lookUp('good.example.org');
      expect(await client.tls(CDN, 'good.example.org')).toBe(`${CDN} good.example.org`);
      expect(await client.http(CDN, 'good.example.org')).toEqual(UNREACHABLE);
    });

    it('reaches a DNS server that a rule allows', async () => {
      await lab.limit([{ rules: [`allow:${FOREIGN_DNS}:udp:53`] }]);
      expect(await lab.lookUp('sibling.example.net', { server: FOREIGN_DNS })).toMatchObject({
        addresses: [CDN],
      });
      expect(await lab.lookUp('sibling.example.net')).toEqual(NO_NAME);
    });

    it('reaches other ports of the box’s own DNS server by rules, and its questions by none', async () => {
      const resolvers = [PRIVATE];
      await lab.limit([{ rules: [`allow:${PRIVATE}:tcp:5432`] }], { resolvers });
      expect(await client.tcp(PRIVATE, 5432)).toBe(GUEST);
      expect(await client.tcp(PRIVATE, 5433)).toEqual(UNREACHABLE);
      expect(await lab.lookUp('sibling.example.net', { server: PRIVATE })).toEqual(NO_NAME);
    });

    it('gives a private address to a name where a rule allows the address as well', async () => {
      await lab.limit([{ rules: ['allow:*.corp.example', `allow:${PRIVATE}:tcp:5432`] }]);
      await lab.name('db.corp.example', [{ owner: 'db.corp.example', a: PRIVATE }]);
      expect(await lab.lookUp('db.corp.example')).toMatchObject({ addresses: [PRIVATE] });
      expect(await client.tcp(PRIVATE, 5432)).toBe(GUEST);
      expect(await client.tcp(PRIVATE, 5433)).toEqual(UNREACHABLE);
    });

    it('judges datagrams in fragments as a whole', async () => {
      await lab.limit([{ rules: [`allow:${OWN}:udp:9000`] }]);
      expect(await client.udp(OWN, 9000, 6000)).toBe('6000');
      expect(await client.udp(CDN, 9000, 6000)).toEqual(UNREACHABLE);
      expect(await client.udp(OWN, 443, 6000)).toEqual(UNREACHABLE);
    });

    it('refuses other protocols of IP', async () => {
      await lab.limit([{ rules: [`allow:${OWN}:tcp`, `allow:${CDN}:icmp`] }]);
      const [ICMP, GRE] = [1, 47];
      expect(await client.raw(CDN, ICMP)).toBe('answered');
      expect(await client.raw(OWN, ICMP)).toBe('silent');
      expect(await client.raw(CDN, GRE)).toBe('silent');
      const targets = (await lab.refusals()).map(({ target }) => target);
      expect(targets).toEqual(expect.arrayContaining([`${OWN}/icmp`, `${CDN}/protocol 47`]));
    });

    it('lets a box choose no route of its packets', async () => {
      await lab.limit([{ rules: [] }]);
      expect(lab.setting('net.ipv4.conf.all.accept_source_route')).toBe('0');
    });

    it('carries no IPv6, whatever a rule allows', async () => {
      await lab.limit([{ rules: ['allow:0.0.0.0/0'] }]);
      lab.ip('guest', '-6', 'addr', 'add', 'fd00::2/64', 'dev', 'eth0', 'nodad');
      lab.ip('world', '-6', 'addr', 'add', 'fd00::1/64', 'dev', 'wan0', 'nodad');
      await lab.world('serveTcp', { address: 'fd00::1', port: 5432 });
      expect(await client.tcp('fd00::1', 5432)).toEqual(UNREACHABLE);
      expect(await client.tcp(CDN, 5432)).toBe(GUEST);
    });
  });

  describe('by default:public', () => {
    it('reaches public addresses, and neither private ones nor the host’s own networks', async () => {
      await lab.limit([{ default: 'public', rules: ['deny:bad.example.org'] }], {
        ownSubnets: [`${OWN}/32`],
      });
      expect(await client.tcp(CDN, 5432)).toBe(GUEST);
      expect(await client.udp(CDN, 443)).toBe('3');
      expect(await client.tcp(PRIVATE, 5432)).toEqual(UNREACHABLE);
      expect(await client.tcp(OWN, 5432)).toEqual(UNREACHABLE);
      expect(await client.tcp('169.254.169.254', 80)).toEqual(UNREACHABLE);
      expect(await lab.lookUp('sibling.example.net')).toMatchObject({ addresses: [CDN] });
      expect(await lab.lookUp('bad.example.org')).toEqual(NO_NAME);
      expect(await lab.lookUp('sibling.example.net', { server: FOREIGN_DNS })).toEqual(UNREACHABLE);
      const refused = {
        target: `${FOREIGN_DNS}:53/udp`,
        rule: expect.stringContaining('DNS server'),
      };
      expect(await lab.refusals()).toContainEqual(expect.objectContaining(refused));
    });
  });

  it('refuses a name that no rule is about at the address of one that a rule allows', async () => {
    await lab.limit([{ default: 'public', rules: ['allow:good.example.org'] }]);
    await lab.lookUp('good.example.org');
    await lab.lookUp('own.example.net');
    expect(await client.tls(OWN, 'own.example.net')).toBe(`${OWN} own.example.net`);
    expect(await client.tls(CDN, 'own.example.net')).toEqual(BROKEN);
    await expect
      .poll(() => lab.refusals(), { timeout: 10_000 })
      .toContainEqual(expect.objectContaining({ target: 'own.example.net:443/tcp' }));
  });

  describe('by two policies', () => {
    it('reaches what both allow', async () => {
      await lab.limit([
        { of: 'box', rules: ['allow:*.example.org', 'allow:203.0.113.0/24:tcp:5432'] },
        { of: 'network', rules: ['deny:a.b.example.org', 'allow:*.example.org', `allow:${CDN}`] },
      ]);
      expect(await lab.lookUp('a.b.example.org')).toEqual(NO_NAME);
      expect(await lab.lookUp('good.example.org')).toMatchObject({ addresses: [CDN] });
      expect(await client.tls(CDN, 'good.example.org')).toBe(`${CDN} good.example.org`);
      expect(await client.tls(CDN, 'sibling.example.net')).toEqual(BROKEN);
      expect(await client.tcp(CDN, 5432)).toBe(GUEST);
      expect(await client.tcp(OWN, 5432)).toEqual(UNREACHABLE);
      expect(await lab.refusals()).toContainEqual(
        expect.objectContaining({ target: `${OWN}:5432/tcp`, of: 'network', rule: 'default:deny' }),
      );
    });
  });

  describe('whose program', () => {
    it('keeps the egress program in a jail, without capabilities and with bounds', async () => {
      await lab.limit([{ rules: ['allow:*.example.org'] }]);
      const of = (file: string) => `/proc/${lab.programPid()}/${file}`;
      const status = readFileSync(of('status'), 'utf8');
      expect(status).toMatch(new RegExp(`^Uid:\\t${UID}\\t${UID}\\t${UID}\\t${UID}$`, 'm'));
      for (const name of ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb']) {
        expect(status).toMatch(new RegExp(`^${name}:\\t0{16}$`, 'm'));
      }
      expect(status).toMatch(/^NoNewPrivs:\t1$/m);
      for (const kind of ['user', 'pid', 'mnt', 'ipc', 'uts']) {
        expect(readlinkSync(of(`ns/${kind}`))).not.toBe(readlinkSync(`/proc/self/ns/${kind}`));
      }
      expect(
        readdirSync(of('root')).filter((name) => ['etc', 'home', 'root'].includes(name)),
      ).toEqual(['etc']);
      const limits = readFileSync(of('limits'), 'utf8');
      for (const bound of [/^Max data size +536870912 /m, /^Max processes +256 /m]) {
        expect(limits).toMatch(bound);
      }
    });

    it('resolves nothing and opens no address while the egress program is dead', async () => {
      await lab.lookUp('good.example.org');
      process.kill(lab.programPid(), 'SIGKILL');
      await expect
        .poll(() => lab.lookUp('a.b.example.org'), { timeout: 10_000 })
        .toEqual(UNREACHABLE);
      expect(await client.tls(CDN, 'good.example.org')).toEqual(
        expect.stringMatching(/^(ECONNREFUSED|ECONNRESET|closed|timeout)$/),
      );
      expect(await client.tcp(OWN, 5432)).toEqual(UNREACHABLE);
      await lab.serve();
      // Its addresses are forgotten with it.
      expect(await client.tcp(CDN, 5432)).toEqual(UNREACHABLE);
      expect(await lab.lookUp('good.example.org')).toMatchObject({ addresses: [CDN] });
      expect(await client.tcp(CDN, 5432)).toBe(GUEST);
    });

    it('starts the egress program at once after a kill, at any moment of its end', async () => {
      for (let milliseconds = 0; milliseconds < 8; milliseconds++) {
        process.kill(lab.programPid(), 'SIGKILL');
        await delay(milliseconds);
        await lab.limit([{ rules: ['allow:*.example.org'] }]);
      }
      expect(await lab.lookUp('good.example.org')).toMatchObject({ addresses: [CDN] });
    });

    it('ends one process with a limit, whatever else names its directory', async () => {
      await lab.limit([{ rules: [] }]);
      const directory = `${lab.namespace}.egress`;
      const script = "process.stdout.write('ready'); setInterval(() => {}, 1000)";
      const other = spawn(process.execPath, ['-e', script, `${directory}/egress.cjs`, directory]);
      try {
        await once(other.stdout, 'data');
        const before = lab.programPid();
        await lab.limit([{ rules: [] }]);
        expect(lab.programPid()).not.toBe(before);
        // One whose end nobody has noticed is still there, without arguments.
        const file = `/proc/${before}/cmdline`;
        expect(existsSync(file) ? readFileSync(file, 'utf8') : '').toBe('');
        expect([other.exitCode, other.signalCode]).toEqual([null, null]);
      } finally {
        other.kill('SIGKILL');
      }
    });

    it('reports the same refusal once in a while', async () => {
      await lab.limit([{ rules: [] }]);
      await client.tcp(OWN, 5432);
      expect(await lab.refusals()).toHaveLength(1);
      await client.tcp(OWN, 5432);
      await client.tcp(CDN, 5432);
      expect(await lab.refusals()).toMatchObject([{ target: `${CDN}:5432/tcp` }]);
    });

    it('remembers a bounded number of refusals', async () => {
      await lab.limit([{ rules: [] }]);
      for (let at = 0; at < 100; at += 1) await lab.lookUp(`n${at}.evil.example`);
      const listed = (): string[] => {
        const text = readFileSync(`${lab.namespace}.egress/refusals.json`, 'utf8');
        // Empty before the first refusal, and while it is written.
        if (text === '') return [];
        const { refusals } = JSON.parse(text) as { refusals: { target: string }[] };
        return refusals.map(({ target }) => target);
      };
      await expect.poll(listed, { timeout: 60_000 }).toContain('n99.evil.example');
      expect(listed()).toHaveLength(64);
    });
  });
});
