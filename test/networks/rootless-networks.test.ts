import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer } from 'node:net';
import { text } from 'node:stream/consumers';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Endpoint } from '../../src/networks/host/endpoint.ts';
import { otherComplaints, testKilledChanges } from './makers/killed-changes.ts';
import { db, egress, freely, kept, listening, network, TwoBoxes, web } from './makers/two-boxes.ts';
import { canRun, User } from './makers/user.ts';

/** An address of the host that only its loopback device has meanwhile: the world outside. */
const OUTSIDE = '198.51.100.78';

const isRoot = process.geteuid?.() === 0;
/** Of two boxes, one with a published port: with the program that makes networks. */
const ALL = ['aardvark-dns', 'cat', 'node', 'pasta', 'pasta'];
const DEADLINE = { timeout: 20_000 };

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

  const boxes = new TwoBoxes(() => user);
  const attach = boxes.attach.bind(boxes);
  const asGuest = boxes.asGuest.bind(boxes);
  const lookUp = boxes.lookUp.bind(boxes);
  const complaints = () => user.ask({ ask: 'complaints' });

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
    await boxes.standIn(web);
    const serve = `require('node:net').createServer((c) => c.end('web')).listen(80, () => console.log('up'))`;
    const [program, args] = user.command(boxes.namespace(web), [process.execPath, '-e', serve]);
    const guest = spawn(program, args, { cwd: '/' });
    await once(guest.stdout, 'data');
    expect(await text(connect(port, '127.0.0.1'))).toBe('web');
    guest.kill();
    await user.ask({ ask: 'publish', endpoint: boxes.place(web, more) });
    const code = () => text(connect(port, '127.0.0.1')).catch((error) => error.code);
    await expect.poll(code, DEADLINE).toBe('ECONNREFUSED');
  }

  it('publishes ports of the host, and refuses one that is taken', async () => {
    await expectPublished({});
  });

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
    const tables = () => user.inside(boxes.namespace(web), 'nft', 'list', 'ruleset');
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
    expect(await otherComplaints(user)).toEqual([]);
  });

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
    expect(await otherComplaints(user)).toEqual([]);
  });

  testKilledChanges(() => user);

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
