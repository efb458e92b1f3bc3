import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Server } from 'node:net';
import { text } from 'node:stream/consumers';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Endpoint } from '../../src/networks/host/endpoint.ts';
import { SOAK } from '../e2e/soak.ts';
import { canRun, User } from './rootless/user.ts';

/** An address of the host that only its loopback device has meanwhile: the world outside. */
const OUTSIDE = '198.51.100.78';

const isRoot = process.geteuid?.() === 0;
const [web, db] = ['1', '2'].map((digit) => digit.repeat(64)) as [string, string];
const network = {
  ...{ id: 'ab'.repeat(32), subnet: '10.89.1.0/24', gateway: '10.89.1.1' },
  ...{ internal: false, mtu: 65_520 },
};
const kept = [web, db].map((box) => ({ box, network: network.id }));
/** Of two boxes, one with a published port: with the program that makes networks. */
const ALL = ['aardvark-dns', 'cat', 'node', 'pasta', 'pasta'];
const DEADLINE = { timeout: 20_000 };

/** After the start of what is killed. */
const KILLED_AFTER_MS = SOAK
  ? Array.from({ length: 60 }, (_, index) => 15 * (index + 1))
  : [30, 150, 300, 600, 900];
const KILLED_MS = SOAK ? 1_200_000 : 240_000;
/** Programs that begin and end with a change, and those that stay. */
const VICTIMS = [
  'netavark',
  'nsenter',
  'nft',
  'ip',
  'pasta',
  'aardvark-dns',
  'bwrap',
  'cat',
  'node',
];

const HALF_MADE = 'a box was not taken out of a network';
const MAKER_ENDED = 'the program that makes them has ended';

describe.runIf(canRun())('networks of an ordinary user', () => {
  let user: User;
  beforeAll(async () => {
    if (isRoot) execFileSync('ip', ['addr', 'add', `${OUTSIDE}/32`, 'dev', 'lo']);
    user = await User.open();
    await user.start();
  });
  afterEach(async () => {
    await user.ask({ ask: 'closeTaps' });
    await user.ask({ ask: 'reconcile', kept: [] });
    expect(user.remains()).toEqual([]);
  });
  afterAll(async () => {
    await user.close();
    if (isRoot) execFileSync('ip', ['addr', 'del', `${OUTSIDE}/32`, 'dev', 'lo']);
  });

  function place(box: string, more: Partial<Endpoint> = {}): Endpoint {
    const last = box === web ? 2 : 3;
    return {
      ...{ box, names: [box === web ? 'web' : 'db'], network, ports: [] },
      ...{ address: `10.89.1.${last}`, mac: `02:00:0a:59:01:0${last}`, ...more },
    };
  }
  const attach = (box: string, more: Partial<Endpoint> = {}) =>
    user.ask({ ask: 'attach', endpoint: place(box, more) });
  const complaints = () => user.ask({ ask: 'complaints' });
  const nameOf = (box: string): string => `${box}.abababababab`;

  const resolvers = [network.gateway];
  const policies = [{ of: 'box' as const, default: 'deny' as const, rules: ['allow:*.test'] }];
  const limits = { resolvers, upstreams: resolvers, namesBoxes: true, policies, ownSubnets: [] };
  const egress = { uid: 129_858, ...limits };

  /** Gives a box's namespace the box's address, in place of its guest. */
  async function standIn(box: string): Promise<void> {
    const { address } = place(box);
    await user.inside(nameOf(box), 'ip', 'addr', 'replace', `${address}/32`, 'dev', 'lo');
    for (const way of [network.subnet, `default via ${network.gateway}`]) {
      const route = `${way} dev eth0 src ${address}`.split(' ');
      await user.inside(nameOf(box), 'ip', 'route', 'replace', ...route);
    }
  }
  /** Runs a script of Node there. */
  async function asGuest(box: string, script: string): Promise<string> {
    await standIn(box);
    return (await user.inside(nameOf(box), process.execPath, '-e', script)).trim();
  }
  const lookUp = (box: string, name: string): Promise<string> =>
    asGuest(
      box,
      `const resolver = new (require('node:dns').Resolver)({ timeout: 2000, tries: 1 });
       resolver.setServers(['${network.gateway}']);
       resolver.resolve4('${name}', (error, all) => console.log(error?.code ?? all.join()));`,
    );

  it('makes them like root’s, with names, and leaves nothing of them after the last box', async () => {
    expect(await user.ask({ ask: 'availability' })).toEqual({ available: true });
    await attach(web);
    await attach(db);
    expect(user.processes()).toEqual(['aardvark-dns', 'cat', 'node', 'pasta']);
    await expect.poll(() => lookUp(web, 'db'), DEADLINE).toBe('10.89.1.3');
    expect(await user.inside('holder', 'ip', '-br', 'link')).toMatch(/brabababababab +UP/);
    const status = user.status('aardvark-dns');
    for (const line of [/^CapEff:\t0+$/m, /^CapBnd:\t0+$/m, /^NoNewPrivs:\t1$/m]) {
      expect(status).toMatch(line);
    }
    await user.ask({ ask: 'detach', box: web });
    await expect.poll(() => lookUp(db, 'web'), DEADLINE).toBe('ENOTFOUND');
    await user.ask({ ask: 'detach', box: db });
    expect(user.remains()).toEqual([]);
    expect(await complaints()).toEqual([]);
  });

  it.runIf(isRoot)('says why there are none where the user may not open the device', async () => {
    user.setTunMode(0o600);
    expect(await user.ask({ ask: 'availability' })).toEqual({
      available: false,
      reason: expect.stringMatching(/^\/dev\/net\/tun cannot be opened: EACCES/),
    });
    user.setTunMode(0o666);
    expect(await user.ask({ ask: 'availability' })).toEqual({ available: true });
  });

  it.runIf(isRoot)(
    'leads boxes out by the host’s network, and not out of internal ones',
    async () => {
      const outside = createServer((client) => client.on('error', () => undefined).end('outside'));
      await new Promise<void>((resolve) => outside.listen(0, OUTSIDE, resolve));
      const { port } = outside.address() as { port: number };
      const reach = () =>
        asGuest(
          web,
          `const socket = require('node:net').connect(${port}, '${OUTSIDE}');
           socket.on('data', (data) => { console.log(String(data)); process.exit(); });
           socket.on('error', (error) => { console.log(error.code); process.exit(); });
           setTimeout(() => process.exit(), 3000);`,
        );
      await attach(web);
      expect(await reach()).toBe('outside');
      await user.ask({ ask: 'closeTaps' });
      await attach(web, { network: { ...network, internal: true } });
      expect(await reach()).not.toBe('outside');
      await new Promise((resolve) => outside.close(resolve));
    },
  );

  /** Publishes a port and connects to it. */
  async function expectPublished(more: Partial<Endpoint>): Promise<void> {
    const { server, port } = await listening();
    const ports = [{ hostIp: '127.0.0.1', hostPort: port, boxPort: 80, protocol: 'tcp' as const }];
    await expect(attach(web, { ports, ...more })).rejects.toMatchObject({ code: 'port-in-use' });
    expect(user.remains()).toEqual([]);
    await new Promise((resolve) => server.close(resolve));
    await attach(web, { ports, ...more });
    await standIn(web);
    const serve = `require('node:net').createServer((c) => c.end('web')).listen(80, () => console.log('up'))`;
    const [program, args] = user.command(nameOf(web), [process.execPath, '-e', serve]);
    const guest = spawn(program, args, { cwd: '/' });
    await once(guest.stdout, 'data');
    expect(await text(connect(port, '127.0.0.1'))).toBe('web');
    guest.kill();
    await user.ask({ ask: 'publish', endpoint: place(web, more) });
    const code = () => text(connect(port, '127.0.0.1')).catch((error) => error.code);
    await expect.poll(code, DEADLINE).toBe('ECONNREFUSED');
  }

  it('publishes ports of the host, and refuses one that is taken', async () => {
    await expectPublished({});
  });

  /** A port of the host that is free, for port 80. */
  async function freely() {
    const hostPort = await freePort();
    return { hostIp: '127.0.0.1', hostPort, boxPort: 80, protocol: 'tcp' as const };
  }

  it('refuses a port that only root may publish, and leaves nothing of the box', async () => {
    const ports = [{ hostIp: '127.0.0.1', hostPort: 1, boxPort: 80, protocol: 'tcp' as const }];
    await expect(attach(web, { ports })).rejects.toMatchObject({
      code: 'invalid-argument',
      message: 'Cannot publish port 1: it needs root',
    });
    expect(user.remains()).toEqual([]);
  });

  it('limits boxes that have a policy, whose ports are published all the same', async () => {
    await expectPublished({ egress });
    const tables = () => user.inside(nameOf(web), 'nft', 'list', 'ruleset');
    expect(await tables()).toContain('meta skuid 0 jump program');
    const all = ['aardvark-dns', 'bwrap', 'cat', 'node', 'node', 'pasta'];
    expect(user.processes()).toEqual(all);
    user.kill('bwrap', '/node');
    await expect.poll(() => user.processes(), DEADLINE).not.toContain('node');
    // A program whose parent has not collected its end counts as running until the next repair.
    const repaired = async () => {
      await user.ask({ ask: 'repair' });
      return user.processes();
    };
    await expect.poll(repaired, DEADLINE).toEqual(all);
    expect(await user.ask({ ask: 'refusals' })).toEqual([]);
    expect(await otherComplaints()).toEqual([]);
  });

  /**
   * Among the programs that a test kills is the one that repairs: it may have been asked when it
   * was killed.
   */
  async function otherComplaints(): Promise<string[]> {
    const all = (await complaints()) as string[];
    return all.filter((line) => !line.endsWith(MAKER_ENDED));
  }

  /** Two boxes, one with a port. */
  async function attachBoth(): Promise<void> {
    await attach(web, { ports: [await freely()] });
    await attach(db);
    expect(user.processes()).toEqual(ALL);
  }

  it('keeps them when the server is killed, for the next one and boxes that run', async () => {
    await attachBoth();
    await user.crash();
    await expect.poll(() => user.processes(), DEADLINE).not.toContain('node');
    await user.start();
    await user.ask({ ask: 'reconcile', kept });
    expect(user.processes()).toEqual(ALL);
    await expect.poll(() => lookUp(web, 'db'), DEADLINE).toBe('10.89.1.3');
    await user.ask({ ask: 'reconcile', kept: kept.slice(1) });
    expect(user.processes()).toEqual(['aardvark-dns', 'cat', 'node', 'pasta']);
    expect(await complaints()).toEqual([]);
  });

  it('mends them while the server runs, whichever of their processes was killed', async () => {
    await attachBoth();
    for (const name of ['aardvark-dns', 'pasta', 'cat', 'node']) {
      user.kill(name);
      await expect.poll(() => user.processes(), DEADLINE).not.toContain(name);
      const repaired = async () => {
        await user.ask({ ask: 'repair' });
        return user.processes();
      };
      // What keeps a program in its jail ends a moment later, and counts as the program until then.
      await expect.poll(repaired, DEADLINE).toEqual(ALL);
    }
    await expect.poll(() => lookUp(web, 'db'), DEADLINE).toBe('10.89.1.3');
    expect(await otherComplaints()).toEqual([]);
  });

  /** Puts a limited box with a port into the network, publishes it anew, and takes the box out. */
  async function change(): Promise<void> {
    const ports = [await freely()];
    await attach(web, { ports, egress });
    await user.ask({ ask: 'publish', endpoint: place(web, { egress, ports }) });
    await user.ask({ ask: 'detach', box: web });
  }
  /**
   * Kills in the middle of a change. What was cut off fails, or is made again: neither is an error
   * of this test.
   *
   * @returns whether the change was under way
   */
  async function killIn(afterMs: number, kill: () => unknown): Promise<boolean> {
    let isOver = false;
    const changing = change()
      .catch(() => undefined)
      .finally(() => {
        isOver = true;
      });
    await delay(afterMs);
    const isCut = !isOver;
    await kill();
    await changing;
    return isCut;
  }

  it(
    'goes on, and leaves nothing, wherever a server is killed in the middle of a change',
    async () => {
      let cut = 0;
      await change();
      for (const afterMs of KILLED_AFTER_MS) {
        await attach(db);
        if (await killIn(afterMs, () => user.crash())) cut += 1;
        await user.start();
        // What its programs were about to make meanwhile is gone with the next one.
        const reconciled = async () => {
          await user.ask({ ask: 'reconcile', kept: kept.slice(1) });
          return user.processes();
        };
        const expected = ['aardvark-dns', 'cat', 'node', 'pasta'];
        await expect.poll(reconciled, DEADLINE).toEqual(expected);
        await attach(web);
        await expect.poll(() => lookUp(db, 'web'), DEADLINE).toBe('10.89.1.2');
        await expect.poll(() => lookUp(web, 'db'), DEADLINE).toBe('10.89.1.3');
        for (const box of [web, db]) await user.ask({ ask: 'detach', box });
        expect(user.remains()).toEqual([]);
        // A change that was cut off can be half made: what of it is not there is not taken away.
        const others = (await otherComplaints()).filter((line) => !line.startsWith(HALF_MADE));
        expect(others).toEqual([]);
      }
      expect(cut).toBeGreaterThan(1);
    },
    KILLED_MS,
  );

  it(
    'goes on, and leaves nothing, whichever program is killed in the middle of a change',
    async () => {
      let cut = 0;
      await change();
      for (const [at, afterMs] of KILLED_AFTER_MS.entries()) {
        const names = at % 2 === 0 ? [''] : VICTIMS.filter((_, each) => each % 2 === (at >> 1) % 2);
        if (await killIn(afterMs, () => user.kill(...names))) cut += 1;
        await attach(web);
        await attach(db);
        const repaired = async () => {
          await user.ask({ ask: 'repair' });
          return user.processes();
        };
        const expected = ['aardvark-dns', 'cat', 'node', 'pasta'];
        await expect.poll(repaired, DEADLINE).toEqual(expected);
        await expect.poll(() => lookUp(db, 'web'), DEADLINE).toBe('10.89.1.2');
        for (const box of [web, db]) await user.ask({ ask: 'detach', box });
        expect(user.remains()).toEqual([]);
        await complaints();
      }
      expect(cut).toBeGreaterThan(1);
    },
    KILLED_MS,
  );

  it('removes them, and says so, when what held them was killed with the server', async () => {
    await attachBoth();
    await user.crash();
    user.kill('cat');
    await expect.poll(() => user.processes(), DEADLINE).not.toContain('cat');
    await user.start();
    await user.ask({ ask: 'reconcile', kept });
    expect(user.remains()).toEqual([]);
    expect(await complaints()).toEqual([expect.stringMatching(/^boxes have lost their networks/)]);
  });
});

async function freePort(): Promise<number> {
  const { server, port } = await listening();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function listening(): Promise<{ server: Server; port: number }> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return { server, port: (server.address() as { port: number }).port };
}
